"""This system as a benchmark sees it: in a home of its own, driven by its commands."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from evcs.cli import prepare, supervision
from evcs.cli.common import CommandContext, Out
from evcs.cli.evcs import wait_until_up
from evcs.cli.temporary_system import temporary_system
from evcs.config import INSTALL_ROOT, Settings
from evcs.core.errors import EvcsError

WITHIN_S = 300.0


def quiet(_: str) -> None:
    """Says nothing."""


@contextmanager
def system(time_scale: float = 1.0) -> Iterator[CommandContext]:
    """A started, empty system; whatever runs there at the end is killed."""
    with temporary_system(time_scale) as settings:
        call = CommandContext(settings, Out(False, True, False))
        try:
            start(call)
            yield call
        finally:
            end(settings)


def start(call: CommandContext) -> None:
    """Start it and wait until all is there."""
    supervision.start(call.settings, quiet)
    wait_until_up(call, WITHIN_S)


def end(settings: Settings) -> None:
    """Kill all of it at once."""
    with suppress(EvcsError):
        supervision.kill_everything(settings)


def command(call: CommandContext, program: str, *words: str) -> float:
    """Run one of bin/*, which must end with 0; how many seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        [INSTALL_ROOT / "bin" / program, *words], env=prepare.environment(call.settings),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took_s = time.monotonic() - began
    assert done.returncode == 0, (program, words, done)
    return took_s


def fill(call: CommandContext, count: int) -> list[str]:
    """Create a fleet by one command; its ids."""
    fill_s(call, count)
    return [f"CP-{number:03d}" for number in range(1, count + 1)]


def fill_s(call: CommandContext, count: int, *more: str) -> float:
    """The same; how many seconds it took. `more`: options of the command."""
    span = f"CP-{{001..{count:03d}}}"
    return command(call, "evcs-cp", "create", span, "--timeout", f"{WITHIN_S:g}", *more)
