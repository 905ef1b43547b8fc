"""Machines as web shows them: what is wanted and what Central says together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evcs.core import messages as m


class HostPicture:
    """The present picture: the centre, and all that have joined or are invited."""

    def __init__(self) -> None:
        self._wanted: dict[str, m.DesiredHost] = {}
        self._states: dict[str, m.HostState] = {}

    def take(self, message: m.Message | m.Cleared) -> None:
        """Take a message up, if it is of a host."""
        if isinstance(message, m.DesiredHost):
            self._wanted[message.host] = message
        elif isinstance(message, m.HostState):
            self._states[message.host] = message
        elif isinstance(message, m.Cleared):
            if message.kind is m.DesiredHost:
                self.drop(message.key["host"])
            elif message.kind is m.HostState:
                self._states.pop(message.key["host"], None)

    def drop(self, name: str) -> None:
        """The Registry has it no more."""
        self._wanted.pop(name, None)

    def rows(self, cps: Mapping[str, int]) -> dict[str, dict[str, Any]]:
        """By name, as commands show them; `cps`: how many are wanted there."""
        names = sorted(self._wanted.keys() | self._states.keys())
        return {name: self._row(name, cps.get(name, 0)) for name in names}

    def _row(self, name: str, cps: int) -> dict[str, Any]:
        wanted, state = self._wanted.get(name), self._states.get(name)
        return {
            "name": name,
            "online": state is not None and state.online,
            "since": state.since if state else None,
            "version": state.version if state else None,
            "cps": cps,
            "address": state.address if state else None,
            "clock_off_s": state.clock_off_s if state else None,
            "joined_at": wanted.joined_at if wanted else None,
            "invited_until": wanted.invited_until if wanted else None,
        }
