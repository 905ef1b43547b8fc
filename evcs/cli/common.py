"""What every command shares: its flags, its output, its errors and exit codes."""

from __future__ import annotations

import errno
import functools
import math
import os
import pwd
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from evcs.adapters import processes
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.supervisord import supervisord_pid
from evcs.cli.terminal import Trusted, as_json, join, local_time, shown, style, typed
from evcs.config import Settings, load, to_environment
from evcs.core.audit import OPERATOR
from evcs.core.errors import BadValue, Denied, EvcsError, Unreachable

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
#: What begins a colour.
ESCAPE = "\x1b"
STATE_COLOURS = {
    "ACTIVATED": "green",
    "SUPPLYING": "green",
    "OUT_OF_ORDER": "yellow",
    "BROKEN_DOWN": "red",
    "DISCONNECTED": "bright_black",
}


class Out:
    """Data goes to stdout, messages to stderr; `json` has the data as JSON."""

    def __init__(self, as_json: bool, quiet: bool, color: bool | None) -> None:
        self.json, self.quiet, self.color = as_json, quiet, color

    def data(self, value: Any, text: str | Iterable[str] | None = None) -> None:
        """One JSON document, or its text for people."""
        if self.json:
            click.echo(as_json(value))
        elif text is not None:
            lines = [text] if isinstance(text, str) else list(text)
            if lines:
                click.echo("\n".join(map(shown, lines)), color=self.color)

    def done(self, value: Any, text: str | Iterable[str]) -> None:
        """The same of what a change came to, which who wants quiet need not read."""
        self.data(value, None if self.quiet else text)

    def say(self, text: str) -> None:
        """A message on the way."""
        if not self.quiet and not self.json:
            click.echo(shown(typed(text)), err=True, color=self.color)

    def stage(self, text: str) -> None:
        """What is being waited for, on a terminal alone."""
        if self.on_terminal:
            click.echo(shown(f"{text} ..."), err=True, color=self.color)

    def fail(self, error: EvcsError) -> None:
        """What went wrong, and what to do next."""
        click.echo(join(style("error:", fg="red"), typed(error.line)), err=True, color=self.color)

    def fail_all(self, errors: Mapping[str, EvcsError], what: str = "CPs") -> None:
        """What went wrong with each of several: what is alike once, with how many it hit."""
        alike: dict[tuple[str, str], list[str]] = {}
        for one, error in errors.items():
            form = error.message.replace(one, "\0"), error.hint.replace(one, "\0")
            alike.setdefault(form, []).append(one)
        for hit in list(alike.values())[:MOST_ERRORS]:
            error = errors[hit[0]]
            if len(hit) > 1:
                names = ", ".join([*hit[:3], *["..."][: len(hit) > 3]])
                text = f"{len(hit)} {what} alike ({names}): {error.message}"
                error = EvcsError(text, error.hint)
            self.fail(error)
        if len(alike) > MOST_ERRORS:
            self.say(f"and {len(alike) - MOST_ERRORS} more, see --json")

    def state(self, state: str | None) -> Trusted:
        """A state's word in its colour."""
        word = state or "UNKNOWN"
        return style(word, fg=STATE_COLOURS.get(word))

    def time(self, at: str | None) -> str:
        """A time for people: the machine's own with its offset on a terminal, UTC elsewhere."""
        return local_time(at or "") if sys.stdout.isatty() else at or ""

    def clock(self, at: str) -> str:
        """The same of now, to the millisecond and without the day."""
        return local_time(at, "milliseconds")[11:] if sys.stdout.isatty() else at[11:23]

    @property
    def on_terminal(self) -> bool:
        """Whether progress may be drawn."""
        return sys.stderr.isatty() and not self.quiet and not self.json


START_WITHIN_S = 5.0
#: That differ, of one command.
MOST_ERRORS = 20


def patience(settings: Settings) -> float:
    """Seconds to wait for a part that doesn't answer: some where the system may be starting."""
    return START_WITHIN_S if supervisord_pid(settings.home) is not None else 0.0


def require_running(settings: Settings, what: str, setting: str | None = None) -> None:
    """A port where this home's system does not listen may be anybody's: no secret is to go there.

    `setting` is the port's. Raises Unreachable where the system is down, or was started with
    another.
    """
    pid = supervisord_pid(settings.home)
    if pid is None:
        where = "" if setting is None else f" on port {getattr(settings, setting)}"
        raise Unreachable(f"{what} does not answer{where}", "start it: evcs up")
    if setting is None:
        return
    started, ours = processes.environment(pid), to_environment(settings)
    names = {f"EVCS_{setting.upper()}", "EVCS_HTTP_LISTEN", "EVCS_HTTP_TLS"} & started.keys()
    other = [f"{name}={started[name]}" for name in sorted(names) if started[name] != ours[name]]
    if other:
        raise Unreachable(
            f"{what} is elsewhere: the system was started with {' '.join(other)}",
            f"export {' '.join(other)}; or have it take up what is set now: evcs restart",
        )


#: What of `evcs` works on a host that has joined a centre; the rest, and the other programs, there.
ON_ANY_HOST = frozenset({
    "up", "down", "restart", "status", "doctor", "logs", "ctl", "config", "join",
})  # fmt: skip
OF_ANY_PROGRAM = frozenset({"help", "version", "completion"})


def require_centre(settings: Settings) -> None:
    """Whether the command that runs is one for this host. Raises BadValue, saying where it is."""
    context = click.get_current_context()
    while context.parent is not None and context.parent.parent is not None:
        context = context.parent
    program, word = context.find_root().command.name, context.command.name
    here = word in OF_ANY_PROGRAM or (program == "evcs" and word in ON_ANY_HOST)
    if settings.is_joined and not here:
        text = f"this is host {settings.host} of a centre at {settings.centre}"
        raise BadValue(text, f"there, run: {program} {word}")


class CommandContext:
    """One command's settings, output and way to the Registry."""

    def __init__(self, settings: Settings, out: Out, timeout_s: float = math.inf) -> None:
        self.settings, self.out = settings, out
        self._deadline = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that the command's --timeout leaves."""
        return max(self._deadline - time.monotonic(), 0.1)

    @property
    def registry(self) -> RegistryClient:
        """A client of the Registry with the operator's token."""
        home = self.settings.home
        require_running(self.settings, "the Registry", "registry_port")
        return RegistryClient(
            self.settings.registry,
            lambda: SecretFiles(home).read("operator.token"),
            min(patience(self.settings), self.left_s),
            self.left_s,
            lambda: f"{OPERATOR}/{user()}",
        )


def user() -> str:
    """The user at this terminal, for the audit: who became root by sudo is still himself."""
    name = os.environ.get("SUDO_USER", "")
    with suppress(KeyError):
        name = name or pwd.getpwuid(os.getuid()).pw_name
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:64] or str(os.getuid())


_Option = Callable[[Callable[..., Any]], Callable[..., Any]]
JSON: _Option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
FLAGS: tuple[_Option, ...] = (
    click.option("--quiet", "-q", is_flag=True, help="Only what was asked for, and errors."),
    click.option("--no-color", is_flag=True, help="No colours."),
)


def with_call(function: Callable[..., Any], json_flag: _Option = JSON) -> Callable[..., Any]:
    """Give a command's function a CommandContext first, and the shared flags.

    A `json_flag` that may have a value gives it, or "", as the argument `text`.
    """

    @functools.wraps(function)
    def run(
        *args: Any, as_json: bool | tuple[str, ...], quiet: bool, no_color: bool, **rest: Any
    ) -> Any:
        out = Out(bool(as_json), quiet, False if no_color else None)
        if isinstance(as_json, tuple):
            rest["text"] = "".join(as_json)
        try:
            settings = load()
            require_centre(settings)
            return function(
                CommandContext(settings, out, rest.get("timeout", math.inf)), *args, **rest
            )
        except EvcsError as error:
            stop(out, error)
        except BrokenPipeError:
            raise
        except OSError as error:
            stop(out, of_machine(error))

    wrapped: Callable[..., Any] = run
    own = run.__dict__.pop("__click_params__", [])
    for flag in (*reversed(FLAGS), json_flag):  # so that help has them last
        wrapped = flag(wrapped)
    run.__dict__["__click_params__"] += own
    return wrapped


def of_machine(error: OSError) -> EvcsError:
    """What the machine refuses, as the error that says what to do."""
    text = ": ".join(str(one) for one in (error.filename, error.strerror) if one) or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EvcsError(text, "make room, then try again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Denied(text, "run this as its owner, or choose another home: export EVCS_HOME=...")
    return EvcsError(text, "see: evcs doctor")


def command(
    group: click.Group, name: str | None = None, json_flag: _Option = JSON, **kwargs: Any
) -> Callable[[Callable[..., Any]], click.Command]:
    """A command of `group` with the shared flags, whose function takes a CommandContext first."""
    return lambda function: group.command(name, **kwargs)(with_call(function, json_flag))


def stop(out: Out, error: EvcsError) -> NoReturn:
    """End with an error: its line on stderr, its JSON on stdout, its exit code."""
    if out.json:
        click.echo(as_json({"error": error_json(error)}))
    out.fail(error)
    sys.exit(error.exit_code)


def error_json(error: EvcsError) -> dict[str, str]:
    """An error as the commands' JSON has it, its next step as it can be typed here."""
    return {"code": error.code, **{name: typed(text) for name, text in error.body.items()}}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns; colours don't count as width."""
    body = [[style(cell, bold=True) for cell in head], *([shown(c) for c in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*body, strict=True)]
    return [
        Trusted(
            "  ".join(
                cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
            ).rstrip()
        )
        for row in body
    ]


def _width(cell: str) -> int:
    return len(click.unstyle(cell)) if ESCAPE in cell else len(cell)


def kwh(energy_wh: int) -> str:
    """Wh for people."""
    return f"{energy_wh / 1000:.3f} kWh"


def kw(power_w: int) -> str:
    """W for people."""
    return f"{power_w / 1000:.1f} kW"


def span(seconds: int) -> str:
    """A time for people, in its two largest units: 3 d 4 h."""
    first = next((n for n, (_, size) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
    words = []
    for word, size in _UNITS[first : first + 2]:
        count, seconds = divmod(seconds, size)
        words.append(f"{count} {word}")
    return " ".join(words)
