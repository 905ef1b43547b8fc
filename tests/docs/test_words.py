"""Words that people do not read: help, messages and pages have plain ones, everywhere the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evcs.cli import evcs, evcs_cp, evcs_driver
from tests.system_under_test import ROOT

#: What must not be there -> what is there instead.
NOT_SAID = {
    r"(?i)\bsuppl(y|ies)\b": "charge, or session",
    r"\bMAX\b|(?i:\bmaximum\b)": "power",
    r"(?i)\blooking only\b": "read-only",
    r"(?i)\bstale\b": "not connected, data from ...",
    r"(?i)\bcan't be had\b": "is in use by ...",
    r"(?i)\breturns? once\b": "wait until ...",
    r"(?i)\bprices?,( power,)?( and)? places?\b": "location",
    r", driver\n|settled +\S+ +driver\n": "stopped by driver",
}
#: For those who use it; the others are for those who change it.
PAGES = [
    ROOT / name
    for name in (
        "README.md", "CONTRIBUTING.md", "docs/tutorial.md", "docs/operations.md", "docs/ocpp.md",
        "docs/troubleshooting.md", "docs/power.md", "docs/security.md", "docs/topics.md",
        "docs/tasks.md",
    )
]  # fmt: skip
#: Whatever is printed or told from there, people read.
MODULES = sorted((ROOT / "evcs").rglob("*.py"))
#: The page's own, and what must not be there either.
STATIC = ROOT / "evcs/services/web/static"
SCRIPTS = sorted((*STATIC.glob("js/*.js"), *STATIC.glob("*.html")))
NOT_ON_PAGE = {
    r"\bPlaces?\b": "Location",
    r"\bBegun\b": "Started",
    r"(?i)\bread again\b": "Refresh",
    r"(?i)\bclear what is done\b": "Clear finished",
    r"\bCarries\b|\bMay, kW": "Limit",
    r"\bTakes, kW": "Measured",
}
_COMMENT = re.compile(r"^\s*//.*$|/\*.*?\*/|\s//\s.*$", re.MULTILINE)
#: In quotes, or between two tags of a template.
_SAID = re.compile(r'"([^"\n]*)"|(?<!=)>([^<>]*)<|`([^`]*)`')
_CODE = re.compile(r"\$\{[^{}]*\}")


def wrong(text: str) -> list[str]:
    """What should be said otherwise, and how."""
    return [
        f"{found[0]!r}: say {instead}"
        for pattern, instead in NOT_SAID.items()
        for found in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_say_it_plainly(page: Path) -> None:
    assert wrong(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("program", [evcs.program, evcs_cp.program, evcs_driver.program])
def test_help_says_it_plainly(program: click.Group) -> None:
    for text in helps(program, None):
        assert wrong(text) == [], text


def helps(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    with click.Context(command, parent, info_name=command.name) as context:
        yield command.get_help(context)
        for one in getattr(command, "commands", {}).values():
            yield from helps(one, context)


def test_messages_say_it_plainly() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {one}"
        for path in MODULES
        for line, text in texts(path)
        for one in wrong(text)
    ]
    assert found == []


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that may be shown: sentences, and heads of tables."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    own = {id(node.body[0].value) for node in ast.walk(tree)
           if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in own and (" " in node.value.strip() or node.value.isupper()):
            yield node.lineno, node.value


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_page_says_it_plainly(script: Path) -> None:
    assert [one for text in page_texts(script.read_text()) for one in on_page(text)] == []


def on_page(text: str) -> list[str]:
    """What should be said otherwise on a page, and how."""
    more = [
        f"{found[0]!r}: say {instead}"
        for pattern, instead in NOT_ON_PAGE.items()
        for found in re.finditer(pattern, text)
    ]
    return wrong(text) + more


def page_texts(script: str) -> Iterator[str]:
    """The texts of a script or page that may be shown: sentences, and words with a capital."""
    for found in _SAID.finditer(_COMMENT.sub("", script)):
        text = _CODE.sub("", "".join(filter(None, found.groups()))).strip()
        if " " in text or text[:1].isupper():
            yield text


def test_what_is_shown_on_a_page_is_seen() -> None:
    script = """
    // A stale page, looking only.
    const place = (stale) => stale ? "Stale" : "place"; // of a supply
    html`<dt>Place</dt><p class="place" title="Looking only">${n} supplies end</p>`
    """
    found = [one for text in page_texts(script) for one in on_page(text)]
    assert sorted(one.partition(":")[0] for one in found) == [
        "'Looking only'", "'Place'", "'Stale'", "'supplies'",
    ]  # fmt: skip


def test_what_is_not_said_is_seen() -> None:
    for text in ("a supply ends", "MAX", "the maximum", "Stale", "port 1 can't be had",
                 "Return once", "price, power, place", "1.20 EUR, driver\n"):  # fmt: skip
        assert len(wrong(text)) == 1, text
    for text in ("SUPPLYING", "in its place", "evcs-driver", "--max-power-kw"):
        assert wrong(text) == [], text
