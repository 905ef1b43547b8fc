"""Where and how a CP runs, and how it moves: the old place lets go before the new one begins.

A placement is a host, a hosting and a pool, with a random token that is new at each change of
them. While a CP moves its record names the place that still holds it (`previous_host`,
`previous_placement`), and nobody starts it. That place takes it down and says `released` with the
token; the Registry then takes the two fields away, and the new place begins. A CP that is deleted
is let go in the same way, so one made later under its id is a move like any other. A token is
compared for equality only: a counter would be wrong after a restore.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from typing import NamedTuple

from evcs.core import pools
from evcs.core.messages import DesiredCp, ReconcileReport

PROCESS = "process"
POOL = "pool"
OCPP = "ocpp"
EMULATED = (PROCESS, POOL)
MAIN = "main"
#: Of DesiredCp; a change of any of them is a new placement.
PLACE = ("host", "hosting", "pool")


class Placement(NamedTuple):
    """Who holds a CP: a host, by a token."""

    host: str
    token: str


def holder(cp: DesiredCp) -> Placement:
    """Who may hold the CP by the desired state: where it moves, the place that it leaves."""
    if cp.previous_host is not None and cp.previous_placement is not None:
        return Placement(cp.previous_host, cp.previous_placement)
    return Placement(cp.host, cp.placement)


def is_moving(cp: DesiredCp) -> bool:
    """Whether an old place has not let go of it yet."""
    return cp.previous_placement is not None


def wanted_here(cp: DesiredCp, host: str) -> bool:
    """Whether the CP is to run on this host now."""
    return not (cp.deleted or cp.revoked or is_moving(cp)) and cp.host == host


def unit(cp: DesiredCp) -> str | None:
    """The group of supervisord's in which the CP runs; None where no process of it does."""
    return unit_of(cp.cp, cp.hosting, cp.pool)


def unit_of(cp: str, hosting: str, pool: int | None) -> str | None:
    """The same, of what there is to know of it."""
    if hosting == POOL:
        return None if pool is None else pools.name(pool)
    if hosting == OCPP:
        return pools.OCPP
    return cp if hosting == PROCESS else None


def concerns(cp: DesiredCp, host: str) -> bool:
    """Whether this host has something to report of the CP."""
    return host in (cp.host, holder(cp).host)


def placed(before: DesiredCp | None, after: DesiredCp, new_token: Callable[[], str]) -> DesiredCp:
    """`after` with a placement: a new one, where its place is another."""
    if before is None:
        return after._replace(placement=new_token())
    if all(getattr(before, field) == getattr(after, field) for field in PLACE):
        return after
    old = holder(before)
    return after._replace(
        placement=new_token(), previous_host=old.host, previous_placement=old.token
    )


def pooled(before: DesiredCp | None, after: DesiredCp, take: Callable[[str], int]) -> DesiredCp:
    """`after` with the number of its pool: the one that it is in, or what `take(host)` finds."""
    if after.hosting != POOL:
        return after._replace(pool=None)
    if before is not None and (before.hosting, before.host) == (POOL, after.host):
        return after
    return after._replace(pool=take(after.host))


class Rooms:
    """How many CPs each pool has, those too that are being deleted."""

    def __init__(self, cps: Iterable[DesiredCp]) -> None:
        self._members = Counter((cp.host, cp.pool) for cp in cps if cp.pool is not None)

    def take(self, host: str) -> int:
        """The number of the host's lowest pool with room for one more, which is in it then."""
        number = next(n for n in count(1) if self._members[host, n] < pools.SIZE)
        self._members[host, number] += 1
        return number


def released(cp: DesiredCp, report: ReconcileReport) -> bool:
    """Whether the report says that the CP's holder has let go."""
    return report.released is not None and (report.host, report.released) == holder(cp)


def arrived(cp: DesiredCp) -> DesiredCp:
    """The record once the old place has let go: the new one may begin."""
    return cp._replace(previous_host=None, previous_placement=None)


def to_release(cp: DesiredCp, host: str) -> str | None:
    """The token that this host is to let go of, and to say so; None where it need not."""
    held = holder(cp)
    return held.token if held.host == host and (cp.deleted or is_moving(cp)) else None
