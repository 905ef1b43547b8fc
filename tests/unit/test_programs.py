"""The programs as people type them: help that fits, with examples; other words; flags anywhere."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evcs.cli import evcs, evcs_cp, evcs_driver

PROGRAMS = {str(one.name): one for one in (evcs.program, evcs_cp.program, evcs_driver.program)}
#: What follows a command in a shell.
AFTER = {"|", "||", ">"}


def commands(found: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command, and every group of some, with what is typed for it."""
    yield name, found
    if isinstance(found, click.Group):
        for sub, one in found.commands.items():
            yield from commands(one, f"{name} {sub}")


ALL = {name: one for top, program in PROGRAMS.items() for name, one in commands(program, top)}


def help_of(name: str, width: int = 80) -> list[str]:
    command = ALL[name]
    with click.Context(command, info_name=name, terminal_width=width, max_content_width=width):
        return command.get_help(click.get_current_context()).splitlines()


def parse(words: list[str]) -> click.Command:
    """The command that these words are, read to its last flag."""
    command: click.Command = PROGRAMS[words.pop(0)]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        sub = command.get_command(click.Context(command), words.pop(0))
        assert sub is not None
        command = sub
    command.make_context(command.name, words)
    return command


@pytest.mark.parametrize(
    "name", [name for name, one in ALL.items() if isinstance(one, click.Group)]
)
def test_each_command_has_one_line_that_fits(name: str) -> None:
    group = ALL[name]
    assert isinstance(group, click.Group)
    lines = help_of(name)
    rows = lines[lines.index("Commands:") + 1 :]
    assert [row.split()[0] for row in rows] == sorted(group.commands)
    assert [row for row in rows if row.endswith("...")] == []


@pytest.mark.parametrize(
    "name", [name for name, one in ALL.items() if not isinstance(one, click.Group)]
)
def test_help_has_examples_that_can_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("services.txt").touch()
    lines = help_of(name)
    assert max(map(len, lines)) <= 80
    first = lines.index("  Examples:") + 1
    examples = [line.strip() for line in lines[first : lines.index("", first)]]
    found = [parse(words) for words in map(typed_words, examples) if words[0] in PROGRAMS]
    assert ALL[name] in found or "source" in examples[0]


def typed_words(example: str) -> list[str]:
    """A command line's words, up to what the shell does with it."""
    words = [word for word in shlex.split(example) if not word.startswith("EVCS_")]
    ends = [number for number, word in enumerate(words) if word in AFTER]
    return words[: min(ends, default=len(words))]


def test_examples_are_as_they_can_be_typed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVCS_TYPED", "bin/")
    assert "    bin/evcs down" in help_of("evcs down")
