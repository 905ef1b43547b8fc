"""The division of power: what holds of every site, and that nobody waits for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from evcs.core.grants import ToldLimit, grants
from evcs.core.limits import Limit, minimum_power_w
from evcs.core.load_management import TURN_S, Asker, Division, Site, divide, turns_from
from evcs.core.messages import Circuit

NAMES = "ABCDEF"
SINCE = [f"2026-11-22T09:{minute:02}:00.000Z" for minute in range(8)]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A forest: each circuit is below none, or below one before it."""
    found = []
    for place, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        parent = draw(st.none() | st.sampled_from(NAMES[:place])) if place else None
        power_w = draw(st.sampled_from([0, 3_000, 9_000, 20_000, 44_000, 100_000]))
        found.append(Circuit(name, power_w, parent))
    return Site(found)


@st.composite
def askers(draw: st.DrawFn, site: Site) -> list[Asker]:
    """Sessions of those circuits."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        power_w = draw(st.sampled_from([2_300, 7_400, 11_000, 22_000]))
        least = minimum_power_w(power_w)
        served = draw(st.booleans())
        found.append(
            Asker(
                f"CP-{number}",
                draw(st.sampled_from(sorted(site.circuits))),
                least,
                draw(st.sampled_from([least, power_w])),
                served,
                draw(st.sampled_from(SINCE)),
                served and draw(st.booleans()),
            )
        )
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Site, dict[str, int], list[Asker]]:
    """A site, what it has left beside other loads, and who asks."""
    site = draw(sites())
    loads = [(name, draw(st.sampled_from([0, 0, 1_000, 30_000]))) for name in site.circuits]
    return site, site.rooms(loads), draw(askers(site))


def left(
    site: Site, rooms: dict[str, int], those: Sequence[Asker], found: Division
) -> dict[str, int]:
    """What each circuit has left."""
    free = dict(rooms)
    for one in those:
        for name in site.path(one.circuit):
            free[name] -= found.limits[one.cp]
    return free


@given(cases())
def test_no_circuit_carries_more_than_it_has(
    case: tuple[Site, dict[str, int], list[Asker]],
) -> None:
    site, rooms, those = case
    found = divide(site, rooms, those)
    free = left(site, rooms, those, found)
    assert all(free[name] >= 0 or free[name] == rooms[name] for name in free)
    assert found.limits.keys() == {one.cp for one in those}


@given(cases())
def test_none_has_less_than_its_minimum_but_0_nor_more_than_it_wants(
    case: tuple[Site, dict[str, int], list[Asker]],
) -> None:
    site, rooms, those = case
    found = divide(site, rooms, those)
    for one in those:
        limit_w = found.limits[one.cp]
        assert limit_w == 0 or one.minimum_w <= limit_w <= one.wants_w


@given(cases())
def test_no_share_is_left_that_somebody_could_take(
    case: tuple[Site, dict[str, int], list[Asker]],
) -> None:
    """But for what a division by whole W leaves."""
    site, rooms, those = case
    found = divide(site, rooms, those)
    free = left(site, rooms, those, found)
    for one in those:
        room, limit_w = min(free[name] for name in site.path(one.circuit)), found.limits[one.cp]
        if limit_w == 0:
            # What it lacks, others have above their minimum or have it in their turn.
            reducible = any(room + _above(site, name, those, found) < one.minimum_w
                            for name in site.path(one.circuit))  # fmt: skip
            assert room < one.minimum_w
            assert reducible or _others_first(site, one, those, found)
        elif limit_w < one.wants_w:
            assert room <= len(those)


def _above(site: Site, circuit: str, those: Sequence[Asker], found: Division) -> int:
    """What those below a circuit have above their minimum."""
    below = [one for one in those if circuit in site.path(one.circuit) and found.limits[one.cp]]
    return sum(found.limits[one.cp] - one.minimum_w for one in below)


def _others_first(site: Site, one: Asker, those: Sequence[Asker], found: Division) -> bool:
    """Whether the minimum of who is served leaves no room for one more."""
    for name in site.path(one.circuit):
        below = [o for o in those if name in site.path(o.circuit) and found.limits[o.cp]]
        given = sum(found.limits[o.cp] for o in below)
        if given - sum(o.minimum_w for o in below) < one.minimum_w:
            return True
    return False


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_askers_does_not_matter(
    case: tuple[Site, dict[str, int], list[Asker]], dice: Random
) -> None:
    site, rooms, those = case
    shuffled = dice.sample(those, len(those))
    assert divide(site, rooms, shuffled) == divide(site, rooms, those)


@given(cases())
def test_who_has_less_than_another_could_not_have_more(
    case: tuple[Site, dict[str, int], list[Asker]],
) -> None:
    """Of two on one circuit the one with less has what it wants, or the other its minimum."""
    site, rooms, those = case
    found = divide(site, rooms, those)
    served = [one for one in those if found.limits[one.cp]]
    for one in served:
        for other in served:
            same = one.circuit == other.circuit
            if same and found.limits[one.cp] < found.limits[other.cp]:
                wants_less = found.limits[one.cp] == one.wants_w
                assert wants_less or found.limits[other.cp] == other.minimum_w


@given(cases(), st.data())
def test_what_is_granted_fits_beside_all_that_may_still_flow(
    case: tuple[Site, dict[str, int], list[Asker]], data: st.DataObject
) -> None:
    site, rooms, those = case
    watts = st.sampled_from([0, 1_380, 4_140, 8_000, 22_000])
    held = {one.cp: ToldLimit(data.draw(st.none() | watts), data.draw(watts)) for one in those}
    held = {cp: ToldLimit(told, max(most, told or 0)) for cp, (told, most) in held.items()}
    found = grants(site, rooms, those, divide(site, rooms, those).limits, held)
    before, after = dict(rooms), dict(rooms)
    for one in those:
        most = held[one.cp].most_w
        for name in site.path(one.circuit):
            before[name] -= most
            after[name] -= max(most, found.get(one.cp, 0))
    for name in rooms:
        assert after[name] >= min(before[name], 0)


@given(st.integers(0, 22_000), st.integers(0, 22_000), st.integers(0, 300))
def test_a_limit_that_is_not_told_again_gives_way_to_the_fallback(
    limit_w: int, fallback_w: int, age_s: int
) -> None:
    limit = Limit(limit_w, fallback_w, 1_000.0)
    now = limit.now(1_000.0 + age_s)
    lasts = 60 if limit_w > fallback_w else 120
    assert now.max_power_w == (limit_w if age_s < lasts else fallback_w)


def test_whoever_needs_more_than_those_that_came_later_is_not_passed_over_for_ever() -> None:
    """A place for three cars of one phase; one of three phases waits behind them."""
    site = Site([Circuit("A", 4_200)])
    small = [Asker(f"S{n}", "A", 1_380, 1_380, False, SINCE[1], False) for n in range(4)]
    big = Asker("BIG", "A", 4_140, 11_000, False, SINCE[0])
    in_turn = [one._replace(served=True, turn=True) for one in small[:2]]
    found = divide(site, site.rooms([]), [*in_turn, *small[2:], big])
    assert found.limits == {"S0": 1_380, "S1": 1_380, "S2": 1_380, "S3": 0, "BIG": 0}
    assert found.guests == {"S2"}
    over = [one._replace(turn=False) for one in in_turn]
    guest = small[2]._replace(served=True, since="")
    found = divide(site, site.rooms([]), [*over, guest, small[3], big])
    assert found.limits["BIG"] == 4_200
    assert sum(found.limits.values()) == 4_200


def test_in_a_day_thirty_drivers_share_the_power_of_six() -> None:
    """Nobody waits longer than the turns of those before it, and all get alike."""
    start = datetime(2026, 11, 22, tzinfo=UTC)
    site = Site([Circuit("A", 6 * 4_140)])
    those = {
        f"D{n:02}": Asker(f"D{n:02}", "A", 4_140, 22_000, False, _at(start, n / 100))
        for n in range(30)
    }
    energy_wh, waited_s = dict.fromkeys(those, 0.0), dict.fromkeys(those, 0)
    for second in range(0, 86_400, 30):
        wall = _at(start, second)
        those = {
            cp: one._replace(turn=one.served and turns_from(wall) < one.since <= wall)
            for cp, one in those.items()
        }
        found = divide(site, site.rooms([]), list(those.values()))
        assert sum(found.limits.values()) <= 6 * 4_140
        for cp, one in those.items():
            served = found.limits[cp] > 0
            if served != one.served:
                those[cp] = one._replace(served=served, since=wall)
            energy_wh[cp] += found.limits[cp] / 120
            waited_s[cp] = 0 if served else waited_s[cp] + 30
            assert waited_s[cp] <= 30 / 6 * (TURN_S + 30)
    assert max(energy_wh.values()) <= 1.1 * min(energy_wh.values())


def _at(start: datetime, seconds: float) -> str:
    moment = start + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
