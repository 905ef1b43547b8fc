"""Whether the machine carries the CPs that a batch makes, moves, or takes out of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evcs.core import placement
from evcs.core.fleet_size import FleetSize
from evcs.core.messages import DesiredCp

#: (there, more): raises NoRoom where the machine does not carry so many more CPs.
CheckRoom = Callable[[FleetSize, FleetSize], None]


class Room:
    """Of the centre's machine."""

    def __init__(self, centre: str, check: CheckRoom) -> None:
        self._centre, self._check = centre, check

    def check_coming(self, given: Iterable[Any], now: Mapping[str, DesiredCp]) -> None:
        """Whether all that are new of these can be carried. Raises NoRoom."""
        centre = self._centre
        asked = {str(one.get("id")): one for one in given if isinstance(one, Mapping)}
        new = [one for cp, one in asked.items() if cp not in now]
        if new:
            there = FleetSize.at(centre, ((cp.host, cp.hosting) for cp in now.values()))
            more = ((one.get("host", centre), one.get("hosting")) for one in new)
            self._check(there, FleetSize.at(centre, more))

    def check_move(self, before: DesiredCp, after: DesiredCp, now: Mapping[str, DesiredCp]) -> None:
        """Whether the machine carries what a CP takes in its new place. Raises NoRoom."""
        if not self._takes_more(before, after):
            return
        all_of_them = {**now, after.id: after}.values()
        # Who has not arrived has not taken yet what he needs.
        coming = {
            one.id
            for one in all_of_them
            if one.hosting != placement.POOL and placement.is_moving(one)
        } | {after.id}
        new = ((one.host, one.hosting) for one in all_of_them if one.id in coming)
        stay = ((one.host, one.hosting) for one in all_of_them if one.id not in coming)
        self._check(FleetSize.at(self._centre, stay), FleetSize.at(self._centre, new))

    def _takes_more(self, before: DesiredCp, after: DesiredCp) -> bool:
        """Whether it does: of processes here, or of the broker's connections from elsewhere."""
        if before.host != after.host:
            return self._centre in (before.host, after.host)
        return before.hosting == placement.POOL != after.hosting
