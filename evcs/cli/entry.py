"""A program from its first word to its exit code."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

from evcs import __version__
from evcs.cli import streams
from evcs.cli.common import FLAGS, JSON, CommandContext, Out, command, of_machine, stop
from evcs.cli.programs import Group, find
from evcs.cli.terminal import as_json, typed
from evcs.config import typed_folder
from evcs.core.errors import EvcsError

#: Objects until garbage is looked for: a list of 5,000 CPs makes none.
GARBAGE_AFTER = 50_000


def group(name: str, text: str, also: Mapping[str, str]) -> Group:
    """A program with commands, -h and --version; `also`: other words for some commands."""

    def flags(**_: bool) -> None:
        """They have gone to the command."""

    program: Callable[..., Any] = flags
    for flag in (*reversed(FLAGS), JSON):
        program = flag(program)
    program = click.version_option(__version__, prog_name=name)(program)
    names = {"help_option_names": ["-h", "--help"]}
    made = click.command(name, cls=Group, help=text, also=also, context_settings=names)(program)

    @command(made, "version", help=f"Show the version.\n\nExamples:\n  {name} version")
    def version(ctx: CommandContext) -> None:
        ctx.out.data({"program": name, "version": __version__}, f"{name}, version {__version__}")

    what = "Show what a command is for, and its flags."

    @command(made, "help", help=f"{what}\n\nExamples:\n  {name} help version")
    @click.argument("words", nargs=-1, metavar="[COMMAND...]")
    def help_of(ctx: CommandContext, words: tuple[str, ...]) -> None:
        top = click.get_current_context().parent
        assert top is not None
        found = find(made, top, words).get_help()
        ctx.out.data({"help": found}, found.splitlines())

    return made


def main(program: click.Group) -> NoReturn:
    """Run a program: nearest name for a mistyped command, no traceback for what is known.

    Python's own tidying up would take a fifth of a short command's CPU, and is for nothing.
    """
    try:
        _run(program)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 0)


def _run(program: click.Group) -> NoReturn:
    streams.open_what_is_closed()
    _escape_what_cannot_be_shown()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        name = str(program.name)
        completion = f"_{name.replace('-', '_')}_COMPLETE".upper()
        code = program(
            prog_name=f"{typed_folder()}{name}", complete_var=completion, standalone_mode=False
        )
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.Abort:
        click.echo(typed("left; what was done until then stays, see: evcs status"), err=True)
        sys.exit(130)
    except click.ClickException as error:
        if "--json" in sys.argv:
            found = {"code": "usage", "message": error.format_message(), "hint": ""}
            click.echo(as_json({"error": found}))
        error.show()
        sys.exit(error.exit_code)
    except EvcsError as error:
        stop(Out(False, False, None), error)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        stop(Out(False, False, None), of_machine(error))


def _escape_what_cannot_be_shown() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
