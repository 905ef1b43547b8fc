"""What the documentation names exists, and its tables and diagrams are whole."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from evcs.cli import evcs, evcs_cp, evcs_driver
from evcs.core import messages, topics
from tests.docs import pages
from tests.system_under_test import ROOT

PROGRAMS = {
    "evcs": evcs.program,
    "evcs-cp": evcs_cp.program,
    "evcs-driver": evcs_driver.program,
}
SHARED = {"-h", "--help", "--version"}

#: What a running system makes in its home, and what is no path though it looks like one.
NOT_IN_THE_REPOSITORY = re.compile(
    r"evcs/v1/.*|conf/evcs\.toml|conf/supervisord\.d/.+|conf/pools.*|data/.+|run/.+|log/.+"
)
A_PATH = re.compile(r"(?:evcs|docs|tests|conf|bin|\.ci)/[\w./-]*|[\w-]+\.(?:sh|cfg|txt|md|toml)")

by_name = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)


@pytest.mark.parametrize("script", ["make_diagrams.py", "make_ocpp_tables.py"])
def test_what_is_drawn_from_the_code_is_what_that_says(script: str):
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "docs" / script), "--check"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_benchmarks_are_what_was_measured():
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "docs" / "make_benchmarks.py"), "--check"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_stale_diagram_is_seen(tmp_path: Path):
    for part in ("evcs", "docs"):
        (tmp_path / part).mkdir()
    (tmp_path / "evcs" / "__init__.py").touch()
    (tmp_path / "evcs" / "core").symlink_to(ROOT / "evcs" / "core")
    script = tmp_path / "docs" / "make_diagrams.py"
    script.write_bytes((ROOT / "docs" / "make_diagrams.py").read_bytes())
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    stale = page.replace("{revoked?}", "{forgotten?}")
    assert stale != page
    (tmp_path / "docs" / "architecture.md").write_text(stale, encoding="utf-8")

    def run(*arguments: str) -> int:
        command = [sys.executable, "-P", str(script), *arguments]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert run("--check") == 1
    assert run() == 0
    assert (tmp_path / "docs" / "architecture.md").read_text(encoding="utf-8") == page
    assert run("--check") == 0


@by_name
def test_links_lead_somewhere(page: Path):
    for link in pages.links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        goal = page if not path else page.parent / path
        assert goal.exists(), link
        if anchor:
            assert anchor in pages.anchors(goal), link


@by_name
def test_paths_that_are_named_exist(page: Path):
    for word in pages.code(page):
        if A_PATH.fullmatch(word) and not NOT_IN_THE_REPOSITORY.fullmatch(word):
            assert (ROOT / word).exists(), word


@by_name
def test_commands_that_are_named_exist(page: Path):
    if page.name == "CHANGELOG.md":
        return  # it also says what there is not yet
    for line in pages.commands(page):
        for words in calls(line):
            check_call(words)


def calls(line: str) -> list[list[str]]:
    """The calls of our programs in a command line."""
    line = re.sub(r"\$\([^)]*\)|…|#\s.*", " ", line)
    found = []
    for part in re.split(r"[;|]|&&", line):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        while words and (words[0] == "sudo" or re.fullmatch(r"\w+=.*", words[0])):
            words.pop(0)
        if words and words[0].removeprefix("bin/") in PROGRAMS:
            found.append([words[0].removeprefix("bin/"), *words[1:]])
    return found


def check_call(words: list[str]) -> None:
    command: click.Command = PROGRAMS[words[0]]
    rest = words[1:]
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if found := command.get_command(click.Context(command), name):
            command = found
            continue
        assert command.invoke_without_command, f"{' '.join(words)}: no command {name}"
        break
    known = SHARED | {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
    if command.name == "ctl":
        return
    for word in rest:
        if re.match(r"--?[a-z]", word):
            assert word.partition("=")[0] in known, f"{' '.join(words)}: no option {word}"


def test_topics_names_each_topic_with_its_fields():
    rows = pages.prose(ROOT / "docs" / "topics.md").splitlines()
    for route in topics.ROUTES:
        start = "| `" + re.sub(r"{(\w+)}", lambda m: f"<{_shown(m[1])}>", route.template) + "`"
        row = next((row for row in rows if row.startswith(start)), None)
        assert row is not None, start
        if row.endswith("the same |"):
            continue
        in_topic = set(re.findall(r"{(\w+)}", route.template))
        fields = set(route.kind.__annotations__) - in_topic - {"body"}
        for field in fields:
            assert f"`{field}`" in row, (route.template, field)


def _shown(level: str) -> str:
    return "CP" if level == "cp" else level


def test_topics_names_the_fields_of_a_session():
    page = pages.prose(ROOT / "docs" / "topics.md")
    for field in messages.SessionView._fields:
        assert f"`{field}`" in page


def test_no_command_has_a_password_among_its_arguments():
    said = [step.command for page in pages.PAGES for step in pages.steps(page)]
    assert [one for one in said if " -P " in one and not one.startswith("printf")] == []


def test_each_dependency_has_its_reason():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = {line.split()[0] for line in setup["options"]["install_requires"].split("\n") if line}
    development = (ROOT / "requirements-dev.txt").read_text().partition("\n\n")[0].splitlines()
    wanted |= {line.partition("==")[0] for line in development if "==" in line}
    page = pages.prose(ROOT / "docs" / "architecture.md")
    table = page.partition("## Dependencies")[2].partition("\n## ")[0]
    missing = [name for name in sorted(wanted) if not re.search(rf"(?<!\w){name}(?!\w)", table)]
    assert not missing


def test_the_index_names_each_decision():
    """By its number and title, in their order; and each page has the same three parts."""
    found = sorted(pages.DECISIONS.glob("0*.md"))
    titles = [pages.text(page).partition("\n")[0].removeprefix("# ") for page in found]
    index = pages.text(pages.DECISIONS / "README.md")
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", index, re.MULTILINE)
    assert listed == list(zip(titles, [page.name for page in found], strict=True))
    for number, (title, page) in enumerate(zip(titles, found, strict=True), 1):
        assert title.startswith(f"{number}. ")
        assert page.name.startswith(f"{number:04d}-")
        parts = re.findall(r"^## (.+)$", pages.text(page), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences"], page.name


def test_readme_and_guide_name_each_setting():
    for page in (ROOT / "README.md", ROOT / "docs" / "operations.md"):
        for variable in ("EVCS_HOME", "EVCS_MQTT_PORT", "EVCS_WEB_PORT", "EVCS_REGISTRY_PORT"):
            assert variable in pages.text(page)
