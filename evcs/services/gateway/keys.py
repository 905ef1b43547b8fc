"""A station's new key, given to its charger: until that has it, the one before is good, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evcs.core.stations import key_id
from evcs.runtime.crash_points import crash_point
from evcs.services.gateway.orders import ACCEPTED, word_of
from evcs.services.gateway.station import ConnectedStation

#: What has become of a new key, where no charger was asked, or one has it.
TAKEN, WAITS, BY_CERTIFICATE, TO_BE_TYPED = "taken", "waits", "certificate", "new"
OUTCOMES = frozenset({TAKEN, WAITS, BY_CERTIFICATE, TO_BE_TYPED})
#: A charger's words for one that it has from its next start on.
LATER = frozenset({"RebootRequired"})


class Keys:
    """`keys(station)`: its passwords, of which a second one is to take the first one's place."""

    def __init__(self, keys: Callable[[str], tuple[str, ...]]) -> None:
        self._keys = keys
        #: Station -> which its charger has: of those before it none is good any more.
        self._shown: dict[str, str] = {}

    def of(self, station: str) -> tuple[str, ...]:
        """Those that are good; the Registry is told of it, and takes a moment."""
        keys = self._keys(station)
        names = [key_id(key) for key in keys]
        shown = self._shown.get(station)
        return keys[names.index(shown) :] if shown in names else keys

    def shown(self, station: str, key: str) -> None:
        """A charger has dialled in by that."""
        self._shown[station] = key

    async def give(self, station: ConnectedStation, again: bool = True) -> str:
        """What has become of a new key: the above, or the charger's word.

        Its charger is asked; with `again` also where it was before in this connection. One that
        says yes has it, as the standards say (A01.FR.03); after any other word, or none, it may
        have either, and shows which when it next dials in.
        """
        is_being_asked = station.key_turn.locked()
        async with station.key_turn:
            keys = self.of(station.connection.station)
            names = [key_id(key) for key in keys]
            newest = names[-1] if names else ""
            if names and station.status.key not in names:
                station.connection.close(1008, "the password that it came with is over")
                return TO_BE_TYPED
            if station.status.key == newest:
                return TAKEN
            if len(keys) < 2:
                return TO_BE_TYPED
            if station.connection.security_profile == 3:
                return BY_CERTIFICATE
            asked, word = station.key_asked
            if asked != newest or (again and not is_being_asked):
                word = await word_of(station.set_key(keys[-1]))
                crash_point("gateway.key_answered")
                station.key_asked = newest, word
                station.key_answered(newest if word == ACCEPTED else None, word)
            if word != ACCEPTED:
                return word
            self.shown(station.connection.station, newest)
            return TAKEN

    async def give_soon(self, station: ConnectedStation, after_s: float) -> None:
        """Once a charger that starts has said who it is; before, it may refuse all else."""
        await asyncio.sleep(after_s)
        await self.give(station, again=False)
