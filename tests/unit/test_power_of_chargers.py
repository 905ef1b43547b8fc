"""Real chargers in circuits: those that refuse, that do not obey, that are late, that are idle."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcs.core import messages as m
from evcs.core.circuits import fallbacks
from tests.unit.power_box import Box, Temper
from tests.unit.power_site import PowerSite

KW = 1_000
GARAGE = m.Circuit("GARAGE", 30 * KW, None, 5 * KW)
EMULATED = ("E-1", "E-2")


def build(folder: Path, boxes: Iterable[Box], circuit: m.Circuit = GARAGE) -> PowerSite:
    """Two emulated CPs that charge, beside chargers that stand idle."""
    found = {box.cp: box for box in boxes}
    wanted = [
        m.DesiredCp(
            cp, cp, "in", "0.30", 22 * KW, "", "main", False, False, 1, circuit=circuit.name,
            fallback_w=0, hosting="ocpp" if cp in found else "process",
        )
        for cp in (*found, *EMULATED)
    ]  # fmt: skip
    fallback_w = fallbacks({circuit.name: circuit}, wanted)
    wanted = [cp._replace(fallback_w=fallback_w[cp.cp]) for cp in wanted]
    site = PowerSite(folder, [circuit], wanted, found)
    site.run(8)
    for cp in EMULATED:
        site.charge(cp, cp)
    site.run(20)
    return site


def reasons(site: PowerSite) -> list[str]:
    """What the audit has of limits."""
    return [one.outcome for one in site.ledger_entries() if one.what == "limit"]


def test_who_refuses_counts_with_all_that_it_can_give_before_it_charges(tmp_path: Path) -> None:
    box = Box("BOX", Temper.REFUSES)
    site = build(tmp_path, [box])
    assert site.states["BOX"].reason == "refuses its limit"
    for _ in range(4):
        box.card()
        site.run(80)
        assert box.power_w == 22 * KW
        box.leave()
        site.run(5)
    assert site.over() == []
    assert sum(site.powers().values()) == 0
    assert reasons(site)[0] == "refuses its limit"
    box.temper = Temper.OBEYS
    site.run(30)
    box.card()
    site.run(60)
    assert site.over() == []
    assert site.states["BOX"].reason == ""
    assert reasons(site)[-1] == "obeys again"
    assert min(site.powers().values()) > 8 * KW
    site.ledger.close()


def test_who_takes_more_than_its_cp_can_give_counts_with_its_reading(tmp_path: Path) -> None:
    box = Box("BOX", Temper.REFUSES, 2, 40 * KW)
    site = build(tmp_path, [box], GARAGE._replace(max_power_w=55 * KW))
    assert sum(site.powers().values()) > 27 * KW
    box.card()
    begun = site.clock.now
    site.run(60)
    assert site.over(begun + box.every_s + 3) == []
    assert sum(site.powers().values()) > 49 * KW
    site.ledger.close()


def test_who_refuses_the_limit_of_a_charge_is_known_for_it_in_the_next(tmp_path: Path) -> None:
    box = Box("BOX", Temper.REFUSES_FOR_A_CHARGE)
    site = build(tmp_path, [box])
    box.card()
    site.run(10)
    assert site.states["BOX"].reason == "refuses its limit"
    box.leave()
    site.run(10)
    assert site.states["BOX"].reason == "refuses its limit"
    assert site.over() == []
    site.ledger.close()


def test_who_takes_its_limit_and_does_not_obey_counts_with_its_readings_at_once(
    tmp_path: Path,
) -> None:
    """And, once it is known, with its most before it charges; also beyond a charge."""
    box = Box("BOX", Temper.IGNORES)
    site = build(tmp_path, [box])
    box.card()
    begun = site.clock.now
    site.run(120)
    assert site.over(begun + box.every_s + 3) == []
    assert site.states["BOX"].reason == "does not obey its limit"
    for _ in range(3):
        box.leave()
        site.run(10)
        assert site.states["BOX"].reason == "does not obey its limit"
        box.card()
        site.run(30)
    assert site.over(begun + box.every_s + 3) == []
    box.temper = Temper.OBEYS
    site.run(60)
    assert site.states["BOX"].reason == ""
    assert reasons(site) == ["does not obey its limit", "obeys again"]
    site.ledger.close()


@pytest.mark.parametrize("gone", ["nobody", "central", "broker"])
def test_one_that_stands_idle_may_begin_at_any_moment(tmp_path: Path, gone: str) -> None:
    """Its fallback is kept for it."""
    boxes = [Box("BOX-1", Temper.OBEYS), Box("BOX-2", Temper.OBEYS)]
    site = build(tmp_path, boxes)
    assert sum(site.powers().values()) > 15 * KW
    if gone == "central":
        site.end_central()
    elif gone == "broker":
        site.cut()
    for box in boxes:
        box.card()
    site.run(60)
    assert site.over() == []
    assert all(box.power_w >= 4_140 for box in boxes)
    if gone == "central":
        site.begin_central()
    elif gone == "broker":
        site.heal()
    site.run(60)
    assert site.over() == []
    assert min(site.powers().values()) > 5 * KW
    site.ledger.close()


def test_who_has_no_fallback_charges_beside_those_that_stand_idle(tmp_path: Path) -> None:
    boxes = [Box(f"BOX-{n}", Temper.OBEYS) for n in range(8)]
    site = build(tmp_path, boxes)
    for cp in EMULATED:
        site.stop(cp)
    boxes[7].card()
    site.run(30)
    assert boxes[7].power_w > 12 * KW
    assert site.over() == []
    site.ledger.close()


@pytest.mark.parametrize("temper", [Temper.REFUSES, Temper.IGNORES, Temper.OBEYS])
def test_one_that_has_confirmed_no_limit_counts_with_its_most_while_it_is_away(
    tmp_path: Path, temper: Temper
) -> None:
    """It was in no circuit as its line was cut, or it refused."""
    box = Box("BOX", temper)
    site = build(tmp_path, [box])
    inside = site.desired["BOX"]
    if temper != Temper.REFUSES:
        box.fallback_said_w = None
        site.tell(inside._replace(circuit=None, fallback_w=None, revision=2))
    box.card()
    site.run(20)
    assert box.power_w == 22 * KW
    box.cut()
    site.tell(inside._replace(revision=3))
    at = site.clock.now
    site.run(240)
    assert site.over(at + 3.1) == []
    site.ledger.close()


def test_one_that_has_confirmed_its_default_counts_with_it_while_it_is_away(tmp_path: Path) -> None:
    box = Box("BOX", Temper.OBEYS)
    site = build(tmp_path, [box])
    box.card()
    site.run(60)
    box.cut()
    site.run(240)
    assert box.power_w == 4_140
    assert site.over() == []
    assert sum(site.powers().values()) > 24 * KW
    site.ledger.close()


@pytest.mark.parametrize("temper", [Temper.OBEYS, Temper.REFUSES])
def test_what_is_known_of_one_that_is_away_outlives_central(tmp_path: Path, temper: Temper) -> None:
    """Its default was of a circuit that had more for it, or it refuses."""
    box = Box("BOX", temper)
    site = build(tmp_path, [box])
    box.cut()
    if temper == Temper.OBEYS:
        site.tell(GARAGE._replace(max_power_w=14 * KW),
                  site.desired["BOX"]._replace(fallback_w=0, revision=2))  # fmt: skip
    site.run(20)
    site.end_central()
    site.begin_central()
    site.run(30)
    box.card()
    at = site.clock.now
    site.run(60)
    assert box.power_w >= 4_140
    assert site.over(at) == []
    site.ledger.close()


def test_a_driver_who_asks_and_does_not_come_takes_no_share(tmp_path: Path) -> None:
    """What he may begin with is kept anyway."""
    box = Box("BOX", Temper.OBEYS)
    site = build(tmp_path, [box])
    before = site.powers()
    site.charge("D", "BOX")
    site.run(60)
    assert site.powers() == before
    box.card()  # he comes
    site.run(60)
    assert min(site.powers().values()) > 8 * KW
    assert site.over() == []
    site.ledger.close()


def test_a_lowered_limit_of_a_charger_counts_once_a_reading_shows_it(tmp_path: Path) -> None:
    """Meanwhile those give way that take theirs up at once."""
    box = Box("BOX", Temper.OBEYS, 10)
    site = build(tmp_path, [box], GARAGE._replace(max_power_w=50 * KW))
    box.card()
    site.run(60)
    assert min(site.powers().values()) > 14 * KW
    box.late_s = 15
    site.tell(GARAGE._replace(max_power_w=35 * KW))
    at = site.clock.now
    site.run(14)
    assert site.over(at + 2.1) == []
    site.run(30)
    assert site.over(at + 2.1) == []
    assert min(site.powers().values()) > 9 * KW
    assert site.states["BOX"].reason == ""
    site.ledger.close()


Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["card", "leave", "charge", "stop", "kill", "central"]),
        st.integers(0, 1), st.integers(1, 40),
    ),
    max_size=14,
)  # fmt: skip
HONEST = st.sampled_from([Temper.OBEYS, Temper.REFUSES])


@settings(max_examples=40, deadline=None)
@given(st.tuples(HONEST, HONEST), st.tuples(st.integers(1, 30), st.integers(1, 30)), STEPS)
def test_who_obeys_and_who_refuses_never_bring_a_circuit_above_its_limit(
    tempers: tuple[Temper, Temper], every_s: tuple[int, int], steps: list[Step]
) -> None:
    boxes = [Box(f"BOX-{n}", *of) for n, of in enumerate(zip(tempers, every_s, strict=True))]
    with TemporaryDirectory(dir="/dev/shm") as folder:
        site = build(Path(folder), boxes, GARAGE._replace(max_power_w=55 * KW))
        for what, number, seconds in steps:
            _happens(site, what, boxes[number], EMULATED[number], seconds)
            site.run(seconds)
        site.ledger.close()
    assert site.over() == []


def _happens(site: PowerSite, what: str, box: Box, beside: str, seconds: int) -> None:
    if what == "card" and box.request is None:
        box.card()
    elif what == "leave":
        box.leave()
    elif what == "charge":
        site.charge(beside, beside)
    elif what == "stop":
        site.stop(beside)
    elif what == "kill":
        site.kill(beside)
    elif what == "central":
        site.end_central()
        site.run(seconds)
        site.begin_central()
