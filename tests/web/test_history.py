"""A CP's last minutes."""

from __future__ import annotations

import itertools

from evcs.core import messages as m
from evcs.core.readings import ALL
from evcs.core.topics import MAX_INT
from evcs.services.web.curves import DAY_S, EVERY_S, POINTS, SESSIONS, Curves, TotalPower
from evcs.services.web.history import SECONDS, History

SESSION = m.SessionView("s", "ALICE", 100, 20_000, "0.03")


def judged(state: str, session: m.SessionView | None = None, reason: str = "") -> m.CpState:
    return m.CpState("A", state, reason, "then", "x", session, 1)


def test_a_trace_keeps_ten_minutes() -> None:
    history = History("then")
    for at in range(3 * SECONDS):
        history.judged(judged("SUPPLYING", SESSION._replace(energy_wh=at)), at, "now")
    found = history.trace("A", 3 * SECONDS)
    assert len(found["at"]) == SECONDS
    assert found["energy_wh"][-1] == 3 * SECONDS - 1
    assert found["at"] == sorted(set(found["at"]))


def test_whatever_the_bus_can_say_is_kept() -> None:
    history = History("then")
    most = SESSION._replace(power_w=MAX_INT, energy_wh=-MAX_INT)
    history.judged(judged("SUPPLYING", most), 10, "now")
    assert history.trace("A", 10) == {"at": [10], "power_w": [MAX_INT], "energy_wh": [-MAX_INT]}


def test_a_supply_that_ends_falls_to_nothing() -> None:
    history = History("then")
    history.judged(judged("SUPPLYING", SESSION), 10, "now")
    history.judged(judged("ACTIVATED"), 11, "now")
    assert history.trace("A", 12)["power_w"] == [20_000, 0]


def test_a_supply_that_follows_at_once_has_no_second_twice() -> None:
    history = History("then")
    history.judged(judged("SUPPLYING", SESSION), 10, "now")
    history.judged(judged("ACTIVATED"), 10, "now")
    history.judged(judged("SUPPLYING", SESSION._replace(session_id="t", energy_wh=0)), 10, "now")
    history.judged(judged("SUPPLYING", SESSION._replace(session_id="t", energy_wh=5)), 11, "now")
    assert history.trace("A", 12)["at"] == [10, 11]
    assert history.trace("A", 12)["energy_wh"] == [0, 5]


def test_events_are_changes_only() -> None:
    history = History("then")
    for state in ("ACTIVATED", "ACTIVATED", "BROKEN_DOWN", "ACTIVATED"):
        history.judged(judged(state), 1, "now")
    assert [one["state"] for one in history.events("A")] == [
        "ACTIVATED", "BROKEN_DOWN", "ACTIVATED",
    ]  # fmt: skip


def test_nothing_is_kept_of_what_is_gone() -> None:
    history = History("then")
    history.judged(judged("SUPPLYING", SESSION), 10, "now")
    history.started("A", "engine", "first")
    history.started("A", "engine", "second")
    history.forget("A")
    assert history.restarts("A", "engine") == 0
    assert history.events("A") == []
    assert history.trace("A", 10)["at"] == []


def test_a_restart_is_another_boot_however_often_it_is_told() -> None:
    history = History("then")
    assert history.restarts("A", "engine") == 0
    for boot in ("first", "first", "second", "second", "third"):
        history.started("A", "engine", boot)
    history.started("A", "monitor", "only")
    assert history.restarts("A", "engine") == 2
    assert history.restarts("A", "monitor") == 0


def test_a_circuit_s_hour_goes_on_from_what_was_told_before_it() -> None:
    history = History("then")
    for at, power_w in ((0, 1_000), (2, 2_000), (11, 3_000), (4_000, 4_000)):
        history.circuit(m.CircuitState("G", 22_000, 500, power_w, 9_000, 2, 1), at)
    found = history.circuit_trace("G", 4_010)
    assert found["at"] == [410, 4_000, 4_010]
    assert found["power_w"] == [3_000, 4_000, 4_000]
    assert (found["limit_w"][0], found["other_load_w"][0], found["max_power_w"][0]) == (
        9_000, 500, 22_000,
    )  # fmt: skip
    assert history.circuit_trace("G", 20)["power_w"][0] == 2_000
    history.forget_circuit("G")
    assert history.circuit_trace("G", 20)["at"] == []


def test_a_curve_of_any_length_has_so_many_points() -> None:
    curves = Curves()
    for at in range(10_000):
        curves.add("long", 100 + at, 11_000, at)
    found = curves.of("long")
    assert POINTS // 2 < len(found["at"]) <= POINTS
    steps = {b - a for a, b in itertools.pairwise(found["at"])}
    assert len(steps) == 1
    assert found["at"][0] == 100
    assert 10_100 - found["at"][-1] <= steps.pop()
    assert found["energy_wh"] == [at - 100 for at in found["at"]]


def test_of_so_many_sessions_the_oldest_curve_gives_way() -> None:
    curves = Curves()
    for number in range(SESSIONS + 1):
        curves.add(f"s{number}", 1, 2, 3)
    assert curves.of("s0") == {"at": [], "power_w": [], "energy_wh": []}
    assert curves.of("s1") == {"at": [1], "power_w": [2], "energy_wh": [3]}


def test_a_session_that_is_over_keeps_its_curve() -> None:
    history = History("then")
    for at in (10, 11):
        history.judged(judged("SUPPLYING", SESSION), at, "now")
    history.judged(judged("ACTIVATED"), 12, "now")
    history.forget("A")
    assert history.curves.of("s")["at"] == [10, 11]


def test_the_power_of_all_is_kept_for_a_day() -> None:
    power = TotalPower()
    for at in range(0, 2 * DAY_S, 5):
        power.add(at, at)
    found = power.samples()
    assert len(found) == DAY_S // EVERY_S + 1
    assert found[-1] == (2 * DAY_S - EVERY_S, 2 * DAY_S - 5, 0)
    assert TotalPower().samples() == []


def test_what_was_heard_of_a_time_begins_with_what_held_then() -> None:
    history = History("then")
    for at, power_w in ((10, 100), (20, 200), (30, 300)):
        history.power.add(at, power_w)
        history.judged(judged("SUPPLYING", SESSION._replace(power_w=power_w)), at, "now")
    for of in (ALL, "A"):
        assert [one.at for one in history.heard(of, 15, 30)] == [10, 20]
        assert [one.power_w for one in history.heard(of, 0, 99)] == [100, 200, 300]
        assert [one.at for one in history.heard(of, 50, 99)] == [30]
    assert history.heard("B", 0, 99) == []
