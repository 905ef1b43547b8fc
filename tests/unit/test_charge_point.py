from __future__ import annotations

import itertools

import pytest

from evcs.core import charge_point as cp
from evcs.core.messages import DesiredCp, EngineStatus, MonitorStatus

ENGINES = [
    None,
    EngineStatus("C", False, "b"),
    EngineStatus("C", True, "b"),
    EngineStatus("C", True, "b", fault="hot"),
]
MONITORS = [
    None,
    MonitorStatus("C", False, "b"),
    MonitorStatus("C", True, "b", "ok"),
    MonitorStatus("C", True, "b", "silent"),
    MonitorStatus("C", True, "b", "ko", fault="cold"),
    MonitorStatus("C", True, "b", "ko"),
]
ALL = [
    cp.View(
        DesiredCp("C", "C", service, "0.30", 22_000, "", "main", revoked, False, 1),
        engine, monitor, supplying,
    )
    for service, revoked, engine, monitor, supplying in itertools.product(
        ("in", "out"), (False, True), ENGINES, MONITORS, (False, True)
    )
]  # fmt: skip


def expected(view: cp.View) -> tuple[str, str]:
    """The contract's states in plain words."""
    engine, monitor = view.engine, view.monitor
    if view.desired.revoked:
        return "DISCONNECTED", "revoked"
    if monitor is None:
        return "DISCONNECTED", "not seen yet"
    if not monitor.online:
        return "DISCONNECTED", "monitor gone"
    if engine is None or not engine.online:
        return "BROKEN_DOWN", "engine gone"
    if monitor.engine == "silent":
        return "BROKEN_DOWN", "silent"
    if monitor.engine == "ko" or engine.fault:
        told = monitor.fault or engine.fault
        return "BROKEN_DOWN", f"fault: {told}" if told else "fault"
    if view.desired.service == "out":
        return "OUT_OF_ORDER", "stopped by the operator"
    return ("SUPPLYING", "") if view.supplying else ("ACTIVATED", "")


@pytest.mark.parametrize("view", ALL, ids=range(len(ALL)))
def test_every_combination_is_judged_as_the_contract_says(view: cp.View) -> None:
    assert cp.judge(view) == expected(view)


def test_every_rule_is_the_first_to_hold_somewhere() -> None:
    first = {next(i for i, rule in enumerate(cp.RULES) if rule.holds(view)) for view in ALL}
    assert first == set(range(len(cp.RULES)))


def test_only_a_free_or_supplying_cp_needs_no_reason() -> None:
    for view in ALL:
        state, reason = cp.judge(view)
        assert (reason == "") == (state in (cp.State.ACTIVATED, cp.State.SUPPLYING))


def test_every_state_has_ocpps_word() -> None:
    assert cp.OCPP_STATUS == {
        "ACTIVATED": "Available", "SUPPLYING": "Charging", "OUT_OF_ORDER": "Unavailable",
        "BROKEN_DOWN": "Faulted", "DISCONNECTED": "Offline",
    }  # fmt: skip
    assert set(cp.State) == set(cp.OCPP_STATUS)


def test_the_diagram_shows_every_rule_with_its_state() -> None:
    drawn = cp.diagram()
    for rule in cp.RULES:
        assert rule.label in drawn
        assert rule.state in drawn
    assert len(drawn.splitlines()) == 2 * len(cp.RULES)
