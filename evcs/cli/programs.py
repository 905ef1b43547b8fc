"""A program as people type it: help that fits, with examples; other words; flags anywhere."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import click

from evcs.cli.terminal import typed

#: What begins a docstring's examples, which stand as they are.
EXAMPLES = "\n\nExamples:\n"


class Command(click.Command):
    """A command: the first sentence of its docstring is its summary, its examples stay lines."""

    def __init__(self, name: str | None, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002
        verbatim = cleandoc(help or "").replace(EXAMPLES, "\n\n\b" + EXAMPLES[1:])
        super().__init__(name, help=verbatim, **kwargs)

    def get_help(self, ctx: click.Context) -> str:
        """With its commands as they can be typed here."""
        return typed(super().get_help(ctx))


class Group(Command, click.Group):
    """A program, or commands of one kind."""

    command_class = Command
    group_class = type
