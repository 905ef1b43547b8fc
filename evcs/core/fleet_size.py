"""How many CPs a fleet has, by what they cost a machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from evcs.core.placement import OCPP, POOL


class FleetSize(NamedTuple):
    """CPs that have processes of their own, and CPs in pools."""

    own: int = 0
    pooled: int = 0

    @classmethod
    def of(cls, hostings: Iterable[object]) -> FleetSize:
        """Of CPs of these hostings; what is none counts as what costs most."""
        found = [hosting in (POOL, OCPP) for hosting in hostings]
        return cls(len(found) - sum(found), sum(found))

    @property
    def cps(self) -> int:
        """All of them."""
        return self.own + self.pooled

    def with_more(self, more: FleetSize) -> FleetSize:
        """Both together."""
        return FleetSize(self.own + more.own, self.pooled + more.pooled)


NO_CPS = FleetSize()
