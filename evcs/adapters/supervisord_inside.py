"""The supervisord that this runs in: its processes, its log and its ticks.

supervisor gives an RPC interface its own supervisord, of which it promises nothing. What the parts
in there need of that besides is here; `tests/adapters/test_library_privates.py` fails when
supervisor's code there is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from supervisor import events
from supervisor.states import ProcessStates


class LiveProcess(Protocol):
    """One of its processes. `pid`: 0 while it doesn't run."""

    pid: int

    def signal(self, sig: int) -> object:
        """Send it a signal."""


class Inside:
    """Of that supervisord."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord

    @property
    def home(self) -> Path:
        """The folder of its system."""
        return Path(self._supervisord.options.here).resolve().parent

    def groups(self) -> Iterator[tuple[str, list[LiveProcess]]]:
        """Its groups, with their processes."""
        for name, group in self._supervisord.process_groups.items():
            yield name, list(group.processes.values())

    def running(self, group: str, process: str) -> LiveProcess | None:
        """A process, while that is to run and does."""
        found = self._supervisord.process_groups.get(group)
        one = found.processes.get(process) if found else None
        running = one is not None and one.get_state() == ProcessStates.RUNNING
        return one if running else None

    def log(self, text: str) -> None:
        """Write that to its log."""
        self._supervisord.options.logger.critical(text)

    def at_ticks(self, look: Callable[[], None]) -> None:
        """Have that called every 5 s."""
        events.subscribe(events.Tick5Event, lambda _event: look())
