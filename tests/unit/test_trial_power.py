"""What `evcs crashtest` says of the power of circuits, by what it has heard."""

from __future__ import annotations

import pytest

from evcs.cli.trial_power import Overload, PowerSums, Said
from evcs.core import messages as m

SITE, GARAGE = m.Circuit("SITE", 20_000, None, 5_000), m.Circuit("GARAGE", 9_000, "SITE")


def cp(name: str, circuit: str | None) -> m.DesiredCp:
    """A CP in a circuit."""
    return m.DesiredCp(name, name, "in", "0.30", 22_000, "", "main", False, False, 1,
                       circuit=circuit, fallback_w=0)  # fmt: skip


def reading(name: str, at: float, power_w: int) -> Said:
    """A CP's meter."""
    return Said(m.Meter(name, f"s-{name}", 1, 0, power_w, 230.0, 10.0), at)


@pytest.fixture
def sums() -> PowerSums:
    """A, B in GARAGE, C beside it; the house takes 2 kW."""
    found = PowerSums()
    wanted = [cp("A", "GARAGE"), cp("B", "GARAGE"), cp("C", "SITE")]
    found.take(Said(one, 1.0) for one in (SITE, GARAGE, *wanted, m.MeterPower("SITE", 2_000)))
    return found


def test_nothing_heard_is_nothing_held(sums: PowerSums) -> None:
    assert not sums.held


def test_sums_are_those_of_all_below_each_circuit(sums: PowerSums) -> None:
    sums.take([reading("A", 10.0, 4_000), reading("B", 10.3, 5_000), reading("C", 10.6, 9_000)])
    assert sums.held
    assert sums.most_w == {"GARAGE": 9_000, "SITE": 18_000}
    sums.take([reading("C", 11.6, 9_001), reading("B", 11.3, 5_001), reading("A", 11.0, 4_000)])
    assert sums.over == [
        Overload(11.3, "SITE", 18_001, 18_000), Overload(11.3, "GARAGE", 9_001, 9_000),
        Overload(11.6, "SITE", 18_002, 18_000), Overload(11.6, "GARAGE", 9_001, 9_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change", [SITE._replace(max_power_w=12_000), m.MeterPower("SITE", 10_000)]
)
def test_a_lowered_limit_is_to_hold_two_seconds_later(sums: PowerSums, change: object) -> None:
    sums.take([Said(change, 20.0), reading("C", 21.9, 15_000)])
    assert sums.held
    sums.take([reading("C", 22.1, 15_000)])
    assert [(one.circuit, one.carried_w) for one in sums.over] == [("SITE", 10_000)]


def test_one_that_is_raised_and_lowered_counts_as_the_last_two_seconds_had_it(
    sums: PowerSums,
) -> None:
    for at, power_w in ((20.0, 30_000), (20.5, 12_000), (21.0, 20_000)):
        sums.take([Said(SITE._replace(max_power_w=power_w), at)])
    sums.take([reading("C", 22.4, 20_000), reading("C", 22.9, 19_000)])
    assert [(one.at, one.carried_w) for one in sums.over] == [(22.9, 18_000)]


def test_who_says_nothing_any_more_takes_nothing(sums: PowerSums) -> None:
    gone = Said(m.EngineStatus("A", False, "a1"), None)
    sums.take([reading("A", 10.0, 9_000), gone, reading("B", 10.2, 9_000)])
    sums.take([reading("A", 12.0, 9_000), reading("B", 13.6, 9_000)])
    assert sums.held
    sums.take([reading("A", 14.0, 9_000)])
    assert [one.at for one in sums.over] == [14.0]
