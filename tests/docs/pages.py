"""The documentation's pages, taken apart: links, names, commands."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.system_under_test import ROOT

DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *DECISIONS.glob("*.md")])
_FENCE = re.compile(
    r"^(?:[ ]*<!-- (?P<run>run[^>]*?) -->\n)?"
    r"(?P<indent>[ ]*)(?P<tick>`{3,})(?P<kind>\w*)\n(?P<body>.*?)^[ ]*(?P=tick)[ ]*$",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Step(NamedTuple):
    """A command of a block that is marked to be run, and what it must print."""

    command: str
    expected: list[str]
    for_s: int | None


def text(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def blocks(page: Path) -> Iterator[tuple[str, str, str | None]]:
    """Kind, body and mark of each fenced block."""
    for found in _FENCE.finditer(text(page)):
        yield found["kind"], found["body"], found["run"]


def steps(page: Path) -> list[Step]:
    """The commands to run, in order."""
    found: list[Step] = []
    for kind, body, mark in blocks(page):
        if mark is None:
            continue
        assert kind == "console", f"{page.name}: only a console block can be run"
        seconds = re.fullmatch(r"run for (\d+) s", mark)
        assert seconds or mark == "run", f"{page.name}: {mark!r}"
        for line in textwrap.dedent(body).splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], [], int(seconds[1]) if seconds else None))
            else:
                found[-1].expected.append(line)
    return found


def links(page: Path) -> list[str]:
    """Where a page's links and pictures lead."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in _HEADING.findall(prose(page))
    }


def code(page: Path) -> list[str]:
    """A page's inline code."""
    return _CODE.findall(prose(page))


def commands(page: Path) -> Iterator[str]:
    """Every command line of a page: in fenced blocks and in running text."""
    for kind, body, _ in blocks(page):
        if kind in ("sh", "console"):
            for line in textwrap.dedent(body).splitlines():
                if kind == "sh" or line.startswith("$ "):
                    yield line.removeprefix("$ ")
    yield from code(page)
