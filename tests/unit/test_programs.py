"""The programs as people type them: help that fits, with examples; other words; flags anywhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from evcs.cli import evcs, evcs_cp, evcs_driver
from evcs.cli.common import error_json
from evcs.cli.programs import ELSEWHERE
from evcs.core.errors import NotFound

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
    first = lines.index("Commands:") + 1
    rows = lines[first : lines.index("", first) if "" in lines[first:] else None]
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
    told = error_json(NotFound("none; see: evcs-cp list", "list them with: evcs sessions"))
    assert (told["message"], told["hint"]) == (
        "none; see: bin/evcs-cp list", "list them with: bin/evcs sessions"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("evcs start", "evcs up"),
        ("evcs stop", "evcs down"),
        ("evcs ps", "evcs status"),
        ("evcs ls", "evcs status"),
        ("evcs driver rm ALICE", "evcs driver remove"),
        ("evcs-cp ps", "evcs-cp list"),
        ("evcs-cp ls", "evcs-cp list"),
        ("evcs-cp rm CP-001", "evcs-cp delete"),
        ("evcs-cp start CP-001", "evcs-cp resume"),
        ("evcs-cp stop CP-001", "evcs-cp stop"),
        ("evcs-driver start CP-001 --driver ALICE", "evcs-driver charge"),
        ("evcs-driver ls --driver ALICE", "evcs-driver list"),
    ],
)
def test_other_words_are_understood(words: str, name: str) -> None:
    assert parse(words.split()) is ALL[name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("evcs stauts", "'status'"),
        ("evcs create CP-001", "Is it evcs-cp create that you mean?"),
        ("evcs stop CP-001", "Is it evcs-cp stop that you mean?"),
        ("evcs start CP-001", "Is it evcs-cp resume that you mean?"),
        ("evcs-cp sessions", "Is it evcs sessions that you mean?"),
        ("evcs-cp charge CP-001", "Is it evcs-driver charge that you mean?"),
    ],
)
def test_a_command_of_another_program_is_named(words: str, said: str) -> None:
    program, *rest = words.split()
    with pytest.raises(click.UsageError) as refused:
        PROGRAMS[program].main(rest, prog_name=program, standalone_mode=False)
    assert said in refused.value.format_message()


def test_the_commands_of_other_programs_are_theirs() -> None:
    for program, names in ELSEWHERE.items():
        assert set(names) <= PROGRAMS[program].commands.keys()


@pytest.mark.parametrize(
    "words",
    [
        "evcs --json version",
        "evcs version --json",
        "evcs --no-color -q --json version",
    ],
)
def test_shared_flags_may_stand_before_the_command(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    PROGRAMS["evcs"].main(words.split()[1:], prog_name="evcs", standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["program"] == "evcs"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("evcs --json driver add ALICE", "evcs driver add ALICE --json"),
        ("evcs driver --json add ALICE", "evcs driver add ALICE --json"),
        ("evcs-cp --json ocpp CP-1 Reset type=Soft", "evcs-cp ocpp CP-1 Reset type=Soft --json"),
        ("evcs --json logs -- -x", "evcs logs --json -- -x"),
        ("evcs sessions --json --limit 1 close X", "evcs sessions --limit 1 close X --json"),
    ],
)
def test_where_flags_go(before: str, behind: str) -> None:
    assert params(before) == params(behind)


def params(line: str) -> dict[str, object]:
    """What the command of a line is called with."""
    program, *words = line.split()
    ctx = PROGRAMS[program].make_context(program, words)
    while isinstance(ctx.command, click.Group):
        words = [*ctx._protected_args, *ctx.args]
        name, found, rest = ctx.command.resolve_command(ctx, words)
        assert found is not None
        ctx = found.make_context(name, rest, parent=ctx)
    return ctx.params


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("evcs sta", ["status", "start"]),
        ("evcs --json sta", ["status", "start"]),
        ("evcs he", ["help"]),
        ("evcs driver r", ["remove", "rm"]),
        ("evcs sessions sh", ["show"]),
        ("evcs sessions --state s", ["settled"]),
        ("evcs sessions --unt", ["--until"]),
        ("evcs-cp list -o w", ["wide"]),
        ("evcs-cp list --state bro", ["broken_down"]),
        ("evcs-cp edit --al", ["--all"]),
    ],
)
def test_a_shell_completes_what_is_understood(words: str, offered: list[str]) -> None:
    program, *before, begun = words.split()
    shell = ShellComplete(PROGRAMS[program], {}, program, "_COMPLETE")
    found = [one.value for one in shell.get_completions(before, begun)]
    assert [word.lower() for word in found] == offered
