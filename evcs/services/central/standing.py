"""Since when a CP is broken down by a fault, stopped or revoked: kept, for it outlives a restart.

At a start nobody has seen a CP yet, so it is disconnected first, whatever it was; then what an
earlier run has noted of it holds on, if it is still so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from evcs.core.charge_point import State, needs_a_hand
from evcs.core.messages import CpState
from evcs.core.units import is_time
from evcs.services.central.ledger_writer import LedgerWriter

#: Of what is noted in the ledger, by CP.
KEY = "since/"


class Standing(NamedTuple):
    """What a CP is, as its state and, of a fault, its reason say, and since when."""

    state: State
    reason: str
    since: str


class StandingStates:
    """What is noted of each CP."""

    def __init__(self, writer: LedgerWriter, noted: Mapping[str, str]) -> None:
        self._writer = writer
        self._noted: dict[str, Standing] = {}
        for key, text in noted.items():
            if key.startswith(KEY) and (found := _read(text)):
                self._noted[key.removeprefix(KEY)] = found
        #: CPs that have not been seen since this run began.
        self._earlier = set(self._noted)

    def faults(self) -> Iterator[tuple[str, str]]:
        """CPs that an earlier run saw broken down, and why."""
        for cp, one in self._noted.items():
            if one.state == State.BROKEN_DOWN:
                yield cp, one.reason

    def found(self, state: CpState) -> None:
        """The broker has kept what an earlier run said of a CP."""
        if not is_passing(state):
            self._earlier.discard(state.cp)

    def judged(self, state: CpState) -> CpState:
        """The state, which is another than before, with the time since when it is so."""
        found, noted = _standing(state), self._noted.get(state.cp)
        if found is None and is_passing(state):
            return state
        if state.cp in self._earlier:
            self._earlier.discard(state.cp)
            if found and noted and found[:2] == noted[:2]:
                return state._replace(since=noted.since)
        if found != noted:
            self._note(state.cp, found)
        return state

    def forget(self, cp: str) -> None:
        """The CP is gone."""
        self._earlier.discard(cp)
        if cp in self._noted:
            self._note(cp, None)

    def _note(self, cp: str, found: Standing | None) -> None:
        self._noted.pop(cp, None)
        if found is not None:
            self._noted[cp] = found
        self._writer.note(KEY + cp, None if found is None else json.dumps(found))


def is_passing(state: CpState) -> bool:
    """Whether a CP is only away, or one of its processes is: that says nothing of the rest."""
    if state.state == State.BROKEN_DOWN:
        return not needs_a_hand(state.state, state.reason)
    return state.state == State.DISCONNECTED and state.reason != "revoked"


def _standing(state: CpState) -> Standing | None:
    if is_passing(state) or state.state in (State.ACTIVATED, State.SUPPLYING):
        return None
    reason = state.reason if state.state == State.BROKEN_DOWN else ""
    return Standing(State(state.state), reason, state.since)


def _read(text: str) -> Standing | None:
    """What was noted; None where a ledger of another's making has something else."""
    try:
        state, reason, since = json.loads(text)
        found = Standing(State(state), reason, since)
    except (TypeError, ValueError, RecursionError):
        return None
    texts = isinstance(reason, str) and isinstance(since, str)
    return found if texts and is_time(since) else None
