"""Circuits as web shows them: what is wanted and what Central says together. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.circuits import row


class CircuitChanges(NamedTuple):
    """Circuits whose row may be another one now, and those that are no more."""

    changed: list[str]
    removed: list[str]


class CircuitPicture:
    """The present picture."""

    def __init__(self) -> None:
        self._wanted: dict[str, m.Circuit] = {}
        self._states: dict[str, m.CircuitState] = {}
        self._touched: set[str] = set()

    def take(self, message: m.Message | m.Cleared) -> None:
        """Take a message up, if it is of a circuit."""
        if isinstance(message, m.Circuit):
            self._wanted[message.name] = message
            self._touched.add(message.name)
        elif isinstance(message, m.CircuitState):
            self._states[message.name] = message
            self._touched.add(message.name)
        elif isinstance(message, m.Cleared):
            if message.kind is m.Circuit:
                self.drop(message.key["name"])
            elif message.kind is m.CircuitState:
                self._states.pop(message.key["name"], None)
                self._touched.add(message.key["name"])

    def drop(self, name: str) -> None:
        """The Registry has it no more."""
        self._wanted.pop(name, None)
        self._touched.add(name)

    def names(self) -> list[str]:
        """All that are wanted."""
        return sorted(self._wanted)

    def row(self, name: str) -> dict[str, Any] | None:
        """A circuit as commands show it: as it is wanted, and its `state`."""
        wanted = self._wanted.get(name)
        return None if wanted is None else row(wanted._asdict(), self._states.get(name))

    def drain(self) -> CircuitChanges:
        """What has changed since the last call."""
        touched, self._touched = sorted(self._touched), set()
        wanted = self._wanted.keys()
        return CircuitChanges(
            [name for name in touched if name in wanted],
            [name for name in touched if name not in wanted],
        )
