"""Charging profiles that a station holds, in no version's words, and what they let a car take.

OCPP 1.6 edition 2, 3.13, 5.5, 5.7 and 5.16; OCPP 2.0.1 part 2, K. Of a station with one connector:
a profile of all (connector 0) and one of the connector differ only in which goes first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from evcs.core.limits import phases
from evcs.core.ocpp.times import parse

VOLTAGE_V = 230
#: Purposes: of the whole station, of transactions that have none of their own, of one transaction.
STATION, DEFAULT, TRANSACTION = "station", "default", "transaction"
MOST_STACK, MOST_PERIODS, MOST_PROFILES = 9, 48, 10
A_DAY_S = 86_400
#: Of a profile that begins anew and does not say when: it is none.
NEVER = -1
#: A composite schedule covers no more than that.
MOST_COMPOSITE_S = 7 * A_DAY_S
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
#: What lies further away can't be reckoned with: years, and ten years from a begin.
YEARS, FURTHEST_S = range(1970, 2200), 3_660 * A_DAY_S


class Period(NamedTuple):
    """From so many seconds after the schedule's begin on at most `limit`, on so many phases."""

    start_s: int
    limit: float
    phases: int | None = None


class Profile(NamedTuple):
    """One profile. Times are RFC 3339, "" where none is given.

    `unit`: "W", or "A" on each phase. `start`: "" begins with the transaction; `every_s`: it begins
    anew so often (0: never). `transaction`: ours, to which it belongs (0: to none). `schedule`: the
    id of its schedule in 2.0.1.
    """

    id: int
    stack: int
    purpose: str
    unit: str
    periods: tuple[Period, ...]
    connector: int = 0
    start: str = ""
    every_s: int = 0
    duration_s: int | None = None
    valid_from: str = ""
    valid_to: str = ""
    transaction: int = 0
    schedule: int = 0


Profiles = tuple[Profile, ...]


class Car(NamedTuple):
    """What is to be limited: a CP of `most_w`, and since when it charges (None: it does not)."""

    most_w: int
    began: datetime | None = None


class LimitStep(NamedTuple):
    """From so many seconds on at most so many W."""

    start_s: int
    limit_w: float


def installed(held: Profiles, new: Profile) -> Profiles | None:
    """With one more, in the place of those of its id, and of its purpose and level (5.16.3); None
    where it is none that can be had."""
    starts = [period.start_s for period in new.periods]
    times = [parse(text) for text in (new.start, new.valid_from, new.valid_to) if text]
    good = (
        0 <= new.stack <= MOST_STACK and starts[:1] == [0] and len(starts) <= MOST_PERIODS
        and all(one < two for one, two in pairwise(starts))
        and all(period.limit >= 0 and period.phases in (None, 1, 2, 3) for period in new.periods)
        and starts[-1] <= FURTHEST_S
        and (new.duration_s is None or 0 <= new.duration_s <= FURTHEST_S)
        and all(one is not None and one.year in YEARS for one in times)
        and (not new.every_s or (new.every_s > 0 and new.start != ""))
    )  # fmt: skip
    place = (new.purpose, new.stack, new.connector)
    others = tuple(
        one for one in held
        if one.id != new.id and (one.purpose, one.stack, one.connector) != place
    )  # fmt: skip
    return (*others, new) if good and len(others) < MOST_PROFILES else None


def cleared(
    held: Profiles, id_: int | None = None, connector: int | None = None,
    purpose: str | None = None, stack: int | None = None,
) -> Profiles:  # fmt: skip
    """Without those that all that is given fits (5.5)."""
    return tuple(
        one for one in held
        if id_ not in (None, one.id) or connector not in (None, one.connector)
        or purpose not in (None, one.purpose) or stack not in (None, one.stack)
    )  # fmt: skip


def over(held: Profiles) -> Profiles:
    """Without those of a transaction: it has ended (3.13.1)."""
    return cleared(held, purpose=TRANSACTION)


def allowed_w(held: Profiles, car: Car, at: datetime) -> float:
    """What a car may take at that moment, in W (3.13.3)."""
    return _allowed_w([_Live(one, car, at) for one in held], car, at)


def composite(held: Profiles, car: Car, at: datetime, duration_s: int) -> list[LimitStep]:
    """What it may take from then on, each time it changes; it takes whole seconds (5.7)."""
    live = [_Live(one, car, at) for one in held]
    found: list[LimitStep] = []
    for second in sorted({0, *(edge for one in live for edge in one.edges_s(at, duration_s))}):
        limit_w = _allowed_w(live, car, at + timedelta(seconds=second))
        if not found or found[-1].limit_w != limit_w:
            found.append(LimitStep(second, limit_w))
    return found


def shown(limit_w: float, unit: str, most_w: int) -> float:
    """A limit in that unit, to a tenth, never more than it is."""
    whole = limit_w if unit == "W" else limit_w / (VOLTAGE_V * phases(most_w))
    return int(whole * 10 + 1e-6) / 10


def _allowed_w(live: Iterable[_Live], car: Car, at: datetime) -> float:
    best: dict[str, tuple[int, bool, float]] = {}
    for one in live:
        limit_w = one.limit_w(at)
        if limit_w is not None:
            of = one.profile
            rank = of.stack, of.connector > 0, limit_w
            best[of.purpose] = max(best.get(of.purpose, rank), rank, key=lambda it: it[:2])
    them = best.get(TRANSACTION, best.get(DEFAULT)), best.get(STATION)
    return min([float(car.most_w), *(one[2] for one in them if one is not None)])


class _Live:
    """A profile with its times read. Where nobody charges, a charge counts as beginning now."""

    def __init__(self, profile: Profile, car: Car, now: datetime) -> None:
        self.profile = profile
        self._phases = phases(car.most_w)
        self._start = parse(profile.start) or car.began or now
        self._from = parse(profile.valid_from) or LONG_AGO
        self._to = parse(profile.valid_to)
        self._starts = [period.start_s for period in profile.periods]

    def limit_w(self, at: datetime) -> float | None:
        """Its limit at that moment; None where it has none then."""
        if at < self._from or (self._to is not None and at >= self._to) or at < self._start:
            return None
        of = self.profile
        past_s = (at - self._start).total_seconds()
        if of.every_s:
            past_s %= of.every_s
        if of.duration_s is not None and past_s >= of.duration_s:
            return None
        period = of.periods[bisect_right(self._starts, past_s) - 1]
        if of.unit == "W":
            return period.limit
        return period.limit * VOLTAGE_V * min(period.phases or 3, self._phases)

    def edges_s(self, at: datetime, within_s: int) -> set[int]:
        """Seconds after `at` from which its limit may be another."""
        of = self.profile
        begins = [self._start]
        if of.every_s:
            past = max((at - self._start) // timedelta(seconds=of.every_s), 0)
            first = self._start + past * timedelta(seconds=of.every_s)
            count = within_s // of.every_s + 2
            begins = [first + timedelta(seconds=of.every_s * number) for number in range(count)]
        inside = self._starts + ([] if of.duration_s is None else [of.duration_s])
        moments = [begin + timedelta(seconds=second) for begin in begins for second in inside]
        moments += [one for one in (self._from, self._to) if one is not None]
        found = {ceil((moment - at).total_seconds()) for moment in moments}
        return {second for second in found if 0 <= second < within_s}
