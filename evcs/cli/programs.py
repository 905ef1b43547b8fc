"""A program as people type it: help that fits, with examples; other words; flags anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any

import click

from evcs.cli.terminal import typed

#: What begins a docstring's examples, which stand as they are.
EXAMPLES = "\n\nExamples:\n"
#: They may stand before the command's name, too.
SHARED_FLAGS = frozenset({"--json", "--quiet", "-q", "--no-color"})
#: What others call it -> what it is here, where there is such a command.
OTHER_WORDS = {"ls": ("list", "status"), "ps": ("status", "list"), "rm": ("delete", "remove")}
#: Commands that are looked for in the wrong program.
ELSEWHERE = {
    "evcs-cp": ("create", "list", "show", "edit", "delete", "stop", "resume", "plug", "fault"),
    "evcs-driver": ("charge", "history"),
    "evcs": ("up", "down", "status", "sessions", "driver", "audit", "open", "doctor"),
}


class Command(click.Command):
    """A command: the first sentence of its docstring is its summary, its examples stay lines."""

    def __init__(self, name: str | None, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002
        verbatim = cleandoc(help or "").replace(EXAMPLES, "\n\n\b" + EXAMPLES[1:])
        super().__init__(name, help=verbatim, **kwargs)

    def get_help(self, ctx: click.Context) -> str:
        """With its commands as they can be typed here."""
        return typed(super().get_help(ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A CP's name after a word that is the whole system's here is for another program."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" in error.message and (hint := _elsewhere(ctx)):
                raise click.UsageError(f"{error.message}. {hint}", ctx) from None
            raise


class Group(Command, click.Group):
    """A program, or commands of one kind; `also`: other words for some of them."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, also: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._also = also or {}

    @property
    def also(self) -> dict[str, str]:
        """Other words, with the command that each is."""
        found = {
            word: next((one for one in ours if one in self.commands), "")
            for word, ours in OTHER_WORDS.items()
        }
        return {word: name for word, name in {**found, **self._also}.items() if name}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, self.also.get(cmd_name, cmd_name))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Flags that all commands share go to the command behind them."""
        count = next((n for n, one in enumerate(args) if one not in SHARED_FLAGS), len(args))
        flags, rest = args[:count], args[count:]
        end = rest.index("--") if "--" in rest else len(rest)
        return super().parse_args(ctx, [*rest[:end], *flags, *rest[end:]])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if ctx.parent is None and (hint := _elsewhere(ctx, args[0])):
                raise click.UsageError(f"{error.message} {hint}", ctx) from None
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Commands, and other words for them."""
        from click.shell_completion import CompletionItem

        return [
            *super().shell_complete(ctx, incomplete),
            *(CompletionItem(word, help=f"the same as {name}")
              for word, name in self.also.items() if word.startswith(incomplete)),
        ]  # fmt: skip

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Other words for commands, in a line."""
        super().format_epilog(ctx, formatter)
        if self.also:
            words = ", ".join(f"{word} ({name})" for word, name in sorted(self.also.items()))
            formatter.write_paragraph()
            formatter.write_text(f"Other words: {words}.")


def find(program: click.Group, ctx: click.Context, words: Sequence[str]) -> click.Context:
    """The context of the command that these words name. Raises UsageError where there is none."""
    command: click.Command = program
    for word in words:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{ctx.command_path} has no commands.", ctx)
        name, found, _ = command.resolve_command(ctx, [word])
        assert found is not None
        ctx = click.Context(found, ctx, info_name=name)
        command = found
    return ctx


def _elsewhere(ctx: click.Context, word: str | None = None) -> str:
    """The program whose command this word is; empty where it is none's."""
    word = word or str(ctx.info_name)
    here = str(ctx.find_root().command.name)
    word = {"start": "resume"}.get(word, word) if here == "evcs" else word
    for program, names in ELSEWHERE.items():
        if program != here and word in names:
            return f"Is it {typed(f'{program} {word}')} that you mean?"
    return ""
