"""Power of circuits, by the real Central and real Engines on a clock that is given."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from evcs.core import messages as m
from evcs.core.charger import EmulatedCharger
from evcs.core.circuits import fallbacks
from evcs.core.limits import FOR_S
from evcs.core.power_demand import most_now_w
from tests.unit.power_site import PowerSite

KW = 1_000
GARAGE = m.Circuit("GARAGE", 44 * KW)


def cps(count: int, circuit: str | None = "GARAGE", power_w: int = 22 * KW) -> list[m.DesiredCp]:
    """CPs of a circuit, as the Registry has them but for their fallbacks."""
    return [
        m.DesiredCp(
            cp, cp, "in", "0.30", power_w, "", "main", False, False, 1, circuit=circuit,
            fallback_w=None if circuit is None else 0,
        )
        for cp in (f"{circuit or 'FREE'}-{number}" for number in range(1, count + 1))
    ]  # fmt: skip


def with_fallbacks(circuits: list[m.Circuit], wanted: list[m.DesiredCp]) -> list[m.DesiredCp]:
    """The same with the fallbacks that the Registry chooses."""
    found = fallbacks({one.name: one for one in circuits}, wanted)
    return [cp._replace(fallback_w=found.get(cp.cp)) for cp in wanted]


def build(folder: Path, circuits: list[m.Circuit], wanted: list[m.DesiredCp]) -> PowerSite:
    """A site that has settled."""
    site = PowerSite(folder, circuits, with_fallbacks(circuits, wanted))
    site.run(8)
    return site


@pytest.fixture
def garage(tmp_path: Path) -> Iterator[PowerSite]:
    """44 kW for six CPs of 22 kW."""
    site = build(tmp_path, [GARAGE], cps(6))
    yield site
    site.ledger.close()


def test_one_that_is_alone_has_all_that_it_can_take(garage: PowerSite) -> None:
    garage.charge("A", "GARAGE-1")
    garage.run(10)
    assert garage.places["GARAGE-1"].power_w > 21 * KW
    assert garage.over() == []


def test_a_start_comes_behind_the_limit_that_it_waits(garage: PowerSite) -> None:
    garage.charge("A", "GARAGE-1")
    inbox = garage.places["GARAGE-1"].inbox
    found = [(one.verb, one.max_power_w) for one in inbox if isinstance(one, m.Command)]
    assert found == [("limit", 0), ("start", 22_000)]


def test_shares_are_equal_and_the_sum_is_within_the_circuit(garage: PowerSite) -> None:
    for number, driver in enumerate("ABCD", 1):
        garage.charge(driver, f"GARAGE-{number}")
        garage.run(7)
    garage.run(10)
    shares = [garage.places[f"GARAGE-{number}"].power_w for number in range(1, 5)]
    assert min(shares) > 10 * KW
    assert max(shares) <= 11 * KW
    assert garage.over() == []


def test_who_is_in_no_circuit_is_told_no_limit(tmp_path: Path) -> None:
    site = build(tmp_path, [GARAGE], [*cps(1), *cps(1, None)])
    site.charge("A", "FREE-1")
    site.run(10)
    place = site.places["FREE-1"]
    assert place.power_w > 21 * KW
    assert place.status is not None
    assert place.status.limit_w is place.status.fallback_w is None
    assert place.meter is not None
    assert place.meter.limit_w is None
    site.ledger.close()


def test_of_a_circuit_that_is_not_known_yet_nothing_is_taken(tmp_path: Path) -> None:
    site = PowerSite(tmp_path, [m.Circuit("OTHER", 9 * KW)], cps(1))
    site.run(8)
    site.charge("A", "GARAGE-1")
    site.run(30)
    assert site.powers() == {"GARAGE-1": 0}
    site.tell(GARAGE)
    site.run(10)
    assert site.powers()["GARAGE-1"] > 21 * KW
    site.ledger.close()


def test_a_lowered_limit_holds_within_two_seconds(garage: PowerSite) -> None:
    for number, driver in enumerate("ABCDEF", 1):
        garage.charge(driver, f"GARAGE-{number}")
    garage.run(30)
    for power_w in (22 * KW, 0, 9 * KW):
        garage.tell(GARAGE._replace(max_power_w=power_w))
        at = garage.clock.now
        garage.run(15)
        assert garage.over(at + 2.1) == []
        assert (sum(garage.powers().values()) > 0) == (power_w > 0)
    shown = [one.session.limit_shown_s for one in garage.states.values() if one.session]
    assert all(took_s is not None and 0 < took_s <= 2 for took_s in shown)


def test_a_house_that_takes_more_leaves_less(garage: PowerSite) -> None:
    for number, driver in enumerate("ABCD", 1):
        garage.charge(driver, f"GARAGE-{number}")
    garage.run(30)
    garage.house["GARAGE"] = 30 * KW
    at = garage.clock.now
    garage.run(20)
    assert garage.over(at + 3.1) == []
    assert sum(garage.powers().values()) > 12 * KW
    del garage.house["GARAGE"]  # its meter is silent: the declared most counts
    garage.run(30)
    assert sum(garage.powers().values()) > 42 * KW


class SmallCar(EmulatedCharger):
    """It takes 5 kW at most."""

    def set_limit(self, limit_w: int | None) -> None:
        super().set_limit(min(limit_w or 0, 5 * KW))


def test_who_takes_little_leaves_the_rest_and_is_told_so_once(garage: PowerSite) -> None:
    place = garage.places["GARAGE-1"]
    place.engine._charger = SmallCar(1.0)
    for number, driver in enumerate("ABC", 1):
        garage.charge(driver, f"GARAGE-{number}")
    garage.run(40)
    for _ in range(60):
        garage.run(1)
        assert place.status is not None
        assert (place.power_w, place.status.limit_w) == (5 * KW, 6 * KW)
        assert min(garage.powers()[f"GARAGE-{number}"] for number in (2, 3)) > 18 * KW
    assert garage.over() == []


def test_a_house_takes_no_more_above_its_cable_than_that_carries(tmp_path: Path) -> None:
    """Whoever meters one, or two of one branch, says what he likes."""
    circuits = [m.Circuit("ROOT", 30 * KW), m.Circuit("BRANCH", 8 * KW, "ROOT", KW),
                m.Circuit("LEAF", 6 * KW, "BRANCH")]  # fmt: skip
    site = build(tmp_path, circuits, [*cps(1, "ROOT"), *cps(1, "BRANCH", 7 * KW)])
    site.house |= {"BRANCH": 10**9, "LEAF": 25 * KW}
    site.charge("A", "ROOT-1")
    site.charge("B", "BRANCH-1")
    site.run(20)
    assert site.powers()["BRANCH-1"] == 0
    assert site.powers()["ROOT-1"] > 21 * KW
    states = {name: one.other_load_w for name, one in site.circuit_states.items()}
    assert states == {"ROOT": 8 * KW, "BRANCH": 8 * KW, "LEAF": 6 * KW}
    site.ledger.close()


def test_below_the_minimum_they_wait_in_turn_and_are_told(tmp_path: Path) -> None:
    circuit = m.Circuit("GARAGE", 9 * KW)
    site = build(tmp_path, [circuit], cps(4))
    for number, driver in enumerate("ABCD", 1):
        site.charge(driver, f"GARAGE-{number}")
    site.run(20)
    powers = site.powers()
    assert sorted(power_w > 0 for power_w in powers.values()) == [False, False, True, True]
    waiting = next(cp for cp, power_w in powers.items() if not power_w)
    state = site.states[waiting]
    assert (state.state, state.reason) == ("SUPPLYING", "waiting for power")
    assert state.ocpp_status == "SuspendedEVSE"
    assert state.session is not None
    assert (state.session.limit_w, state.session.power_w) == (0, 0)
    assert 0 < (state.session.wait_s or 0) <= 600
    told = [one for one in site.events if one.body.get("reason") == "waiting for power"]
    assert told
    assert 0 < told[-1].body["wait_s"] <= 600
    served = {cp for cp, power_w in powers.items() if power_w}
    site.run(620)
    assert {cp for cp, power_w in site.powers().items() if power_w}.isdisjoint(served)
    assert site.over() == []
    site.ledger.close()


def test_after_a_power_cut_turns_go_on_whoever_is_back_first(tmp_path: Path) -> None:
    site = build(tmp_path, [m.Circuit("GARAGE", 9 * KW)], cps(4))
    for number, driver in enumerate("ABCD", 1):
        site.charge(driver, f"GARAGE-{number}")
        site.run(2)
    site.run(30)
    served = {cp for cp, power_w in site.powers().items() if power_w}
    site.end_central()
    away = [site.places.pop(cp) for cp in served]
    for cp in site.places:
        site.kill(cp)
    site.begin_central()
    site.run(10)
    for place in away:
        site.places[place.cp] = place
        site.kill(place.cp)
        site.run(3)
    site.run(30)
    assert {cp for cp, power_w in site.powers().items() if power_w} == served
    assert site.over() == []
    site.ledger.close()


def test_after_a_power_cut_who_waits_takes_nothing_before_the_registry_has_spoken(
    tmp_path: Path,
) -> None:
    site = build(tmp_path, [m.Circuit("GARAGE", 9 * KW)], cps(4))
    for number in (3, 4, 1, 2):
        site.charge(f"D{number}", f"GARAGE-{number}")
        site.run(2)
    site.run(30)
    served = {cp for cp, power_w in site.powers().items() if power_w}
    assert served == {"GARAGE-3", "GARAGE-4"}  # the fallbacks are the others'
    site.end_central()
    for cp in site.places:
        site.kill(cp)
    site.begin_central(with_registry=False)
    for _ in range(10):
        site.run(1)
        assert {cp for cp, power_w in site.powers().items() if power_w} <= served
    site.tell(*site.circuits.values(), *site.desired.values())
    site.run(20)
    assert {cp for cp, power_w in site.powers().items() if power_w} == served
    assert site.over() == []
    site.ledger.close()


@pytest.mark.parametrize("gone", ["central", "broker"])
def test_the_sum_holds_while_central_or_broker_is_away(tmp_path: Path, gone: str) -> None:
    circuit = m.Circuit("GARAGE", 9 * KW)
    site = build(tmp_path, [circuit], cps(6))
    for number, driver in enumerate("ABCD", 1):
        site.charge(driver, f"GARAGE-{number}")
        site.run(5)
    site.run(30)
    before = {cp for cp, power_w in site.powers().items() if power_w}
    if gone == "central":
        site.end_central()
    else:
        site.cut()
    site.run(3 * FOR_S)
    assert sum(site.powers().values()) > 0
    assert site.over() == []
    if gone == "central":
        site.begin_central()
    else:
        site.heal()
    site.run(60)
    assert site.over() == []
    assert {cp for cp, power_w in site.powers().items() if power_w} == before
    site.ledger.close()


def moved_fallbacks(folder: Path) -> PowerSite:
    """Two of three fit into 10 kW with their fallbacks. One of them is away, and charges on.

    It is a real charger: of these a session waits for it. Meanwhile its fallback becomes another's.
    """
    wanted = cps(3)
    wanted[0] = wanted[0]._replace(hosting="ocpp")
    site = build(folder, [m.Circuit("GARAGE", 10 * KW)], wanted)
    assert [site.desired[f"GARAGE-{n}"].fallback_w for n in (1, 2, 3)] == [4_140, 4_140, 0]
    for number, driver in enumerate("ABC", 1):
        site.charge(driver, f"GARAGE-{number}")
        site.run(10)
    assert site.places["GARAGE-1"].power_w > 4 * KW
    site.cut_off("GARAGE-1")
    site.run(5)
    site.tell(*(
        site.desired[cp]._replace(fallback_w=fallback_w, revision=2)
        for cp, fallback_w in (("GARAGE-1", 0), ("GARAGE-3", 4_140))
    ))  # fmt: skip
    return site


def fallback_w(site: PowerSite, cp: str) -> int | None:
    """What a CP takes without being told, by its own word."""
    status = site.places[cp].status
    return None if status is None else status.fallback_w


def test_a_fallback_of_one_that_is_away_is_nobody_elses_before_it_has_another(
    tmp_path: Path,
) -> None:
    site = moved_fallbacks(tmp_path)
    site.run(150)
    assert site.powers()["GARAGE-1"] == 4_140
    assert fallback_w(site, "GARAGE-3") == 0
    site.end_central()
    site.run(200)
    assert site.powers() == {"GARAGE-1": 4_140, "GARAGE-2": 4_140, "GARAGE-3": 0}
    assert site.over() == []
    site.ledger.close()


def test_once_it_is_back_and_has_the_other_its_fallback_is_anothers(tmp_path: Path) -> None:
    site = moved_fallbacks(tmp_path)
    site.run(100)
    site.back("GARAGE-1")
    site.run(40)
    assert [fallback_w(site, f"GARAGE-{n}") for n in (1, 2, 3)] == [0, 4_140, 4_140]
    site.end_central()
    site.run(200)
    assert site.powers() == {"GARAGE-1": 0, "GARAGE-2": 4_140, "GARAGE-3": 4_140}
    assert site.over() == []
    site.ledger.close()


def test_one_that_is_moved_has_its_fallback_there_once_nobody_else_has_it(tmp_path: Path) -> None:
    """X comes to B with a fallback; the one who has to give its own away there is not there."""
    circuits = [m.Circuit("A", 5 * KW), m.Circuit("B", 9 * KW)]
    wanted = [*cps(1, "A"), *cps(2, "B")]
    wanted[1] = wanted[1]._replace(hosting="ocpp")
    site = build(tmp_path, circuits, wanted)
    for number, cp in enumerate(("B-1", "B-2", "A-1")):
        site.charge(f"D{number}", cp)
    site.run(20)
    site.cut_off("B-1")
    site.run(5)
    site.tell(
        site.desired["B-1"]._replace(fallback_w=0, revision=2),
        site.desired["A-1"]._replace(circuit="B", fallback_w=4_140, revision=2),
    )
    at = site.clock.now
    site.run(40)
    assert fallback_w(site, "A-1") == 0
    site.end_central()
    site.run(200)
    assert site.powers() == {"A-1": 0, "B-1": 4_140, "B-2": 4_140}
    assert site.over(at + 3.1) == []
    site.begin_central()
    site.back("B-1")
    site.run(60)
    assert [fallback_w(site, cp) for cp in ("A-1", "B-1")] == [4_140, 0]
    site.ledger.close()


def test_who_does_not_obey_counts_with_its_most(garage: PowerSite) -> None:
    garage.charge("A", "GARAGE-1")
    garage.charge("B", "GARAGE-2")
    garage.run(20)
    garage.places["GARAGE-1"].deaf = True
    garage.charge("C", "GARAGE-3")
    garage.charge("D", "GARAGE-4")
    garage.run(20)
    assert garage.places["GARAGE-1"].power_w > 21 * KW
    assert garage.states["GARAGE-1"].reason == "does not obey its limit"
    assert garage.over() == []
    others = [garage.places[f"GARAGE-{number}"].power_w for number in (2, 3, 4)]
    assert min(others) > 6 * KW
    audited = [one for one in garage.ledger_entries() if one.what == "limit"]
    assert [(one.cp, one.outcome) for one in audited] == [("GARAGE-1", "does not obey its limit")]


def test_one_that_is_moved_to_another_circuit_counts_there_at_once(tmp_path: Path) -> None:
    circuits = [m.Circuit("ROOT", 60 * KW), m.Circuit("A", 44 * KW, "ROOT"),
                m.Circuit("B", 30 * KW, "ROOT")]  # fmt: skip
    site = build(tmp_path, circuits, [*cps(2, "A"), *cps(2, "B")])
    for driver, cp in (("A", "A-1"), ("B", "A-2"), ("C", "B-1")):
        site.charge(driver, cp)
    site.run(30)
    site.tell(site.desired["A-1"]._replace(circuit="B", revision=2))
    at = site.clock.now
    site.run(20)
    assert site.over(at + 3.1) == []
    assert site.powers()["A-1"] <= 15 * KW
    site.tell(site.desired["A-1"]._replace(circuit=None, fallback_w=None, revision=3))
    site.run(20)
    assert site.powers()["A-1"] > 21 * KW
    site.ledger.close()


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder whose disk takes no time: an hour has thousands of commits."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def test_drivers_come_and_go_for_an_hour_on_two_levels(in_memory: Path) -> None:
    circuits = [m.Circuit("SITE", 60 * KW, None, 8 * KW), m.Circuit("NORTH", 32 * KW, "SITE"),
                m.Circuit("SOUTH", 44 * KW, "SITE")]  # fmt: skip
    wanted = [*cps(6, "NORTH"), *cps(6, "SOUTH", 7_400), *cps(3, "SITE", 11 * KW)]
    site = build(in_memory, circuits, wanted)
    dice, free, drivers = random.Random(7), sorted(site.places), [f"D{n}" for n in range(30)]
    driving: dict[str, str] = {}
    for _ in range(360):
        site.run(10)
        for driver, cp in list(driving.items()):
            status = site.places[cp].status
            if status is not None and status.phase == "idle":
                del driving[driver]
                free.append(cp)
        if free and dice.random() < 0.3:
            driver = dice.choice([one for one in drivers if one not in driving])
            driving[driver] = free.pop(dice.randrange(len(free)))
            site.charge(driver, driving[driver], dice.choice([500, 2_000, 10_000]))
        elif driving and dice.random() < 0.1:
            site.stop(dice.choice(sorted(driving)))
        if dice.random() < 0.05:
            site.kill(dice.choice(sorted(site.places)))
    assert site.over() == []
    assert len(site.flows) > 3 * 3_600
    site.ledger.close()


@pytest.mark.parametrize("gone", ["central", "broker"])
def test_forty_wait_and_twenty_are_served_while_central_or_broker_is_away(
    in_memory: Path, gone: str
) -> None:
    """The fallbacks are of twenty that wait: they rise once those that were served are down."""
    site = build(in_memory, [m.Circuit("GARAGE", 84 * KW)], cps(60))
    fallback_w = {cp: desired.fallback_w for cp, desired in site.desired.items()}
    first = [cp for cp in site.places if not fallback_w[cp]][-20:]
    for number, cp in enumerate([*first, *(cp for cp in site.places if cp not in first)]):
        site.charge(f"D{number}", cp)
        site.run(number % 2)
    site.run(30)
    before = {cp for cp, power_w in site.powers().items() if power_w}
    assert before == {*first}
    if gone == "central":
        site.end_central()
    else:
        site.cut()
    site.run(3 * FOR_S)
    assert {cp for cp, power_w in site.powers().items() if power_w} == {
        cp for cp, power_w in fallback_w.items() if power_w
    }
    if gone == "central":
        site.begin_central()
    else:
        site.heal()
    site.run(60)
    assert site.over() == []
    assert {cp for cp, power_w in site.powers().items() if power_w} == before
    site.ledger.close()


@pytest.mark.parametrize("said_w", [10**12, -(10**12)])
@pytest.mark.parametrize("with_registry", [True, False])
def test_a_cps_word_counts_with_no_more_than_it_can_give(
    garage: PowerSite, said_w: int, with_registry: bool
) -> None:
    garage.charge("A", "GARAGE-1")
    garage.run(10)
    liar = garage.places["GARAGE-1"].status
    assert liar is not None
    garage.begin_central(with_registry)
    garage.tell(liar._replace(fallback_w=said_w, limit_w=said_w))
    if not with_registry:
        garage.tell(*garage.circuits.values(), *garage.desired.values())
    garage.tell(m.EngineStatus(liar.cp, False, liar.boot))
    for away_s in (0, FOR_S + 60):
        record = garage.central.fleet.records[liar.cp]
        assert 0 <= most_now_w(record, garage.clock.now + away_s) <= 22 * KW
        assert 0 <= (record.fallback_said_w or 0) <= 22 * KW
