"""How many CPs a fleet has, by what they cost a machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from evcs.core.placement import OCPP, POOL


class FleetSize(NamedTuple):
    """CPs here that have processes of their own, CPs here in pools, and CPs on other hosts."""

    own: int = 0
    pooled: int = 0
    elsewhere: int = 0

    @classmethod
    def of(cls, hostings: Iterable[object]) -> FleetSize:
        """Of CPs of these hostings; what is none counts as what costs most."""
        found = [hosting in (POOL, OCPP) for hosting in hostings]
        return cls(len(found) - sum(found), sum(found))

    @classmethod
    def at(cls, host: str, places: Iterable[tuple[object, object]]) -> FleetSize:
        """As that host sees it: `places` are the host and hosting of each."""
        known = list(places)
        here = cls.of(hosting for where, hosting in known if where == host)
        return here._replace(elsewhere=len(known) - here.cps)

    @property
    def cps(self) -> int:
        """All that run here."""
        return self.own + self.pooled

    def with_more(self, more: FleetSize) -> FleetSize:
        """Both together."""
        return FleetSize(*(one + another for one, another in zip(self, more, strict=True)))


NO_CPS = FleetSize()
