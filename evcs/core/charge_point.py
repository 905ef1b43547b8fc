"""The state table of a CP: desired + observed -> judged.

The rules stand in their order of precedence; the first one that holds gives the
state and the reason. A fault beats the operator's stop (OCPP: Faulted is told
whatever the availability), so a CP that is both shows what needs a hand first.
docs/architecture.md holds the diagram drawn from RULES.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from evcs.core.health import EngineHealth
from evcs.core.ids import short
from evcs.core.messages import DesiredCp, EngineStatus, MonitorStatus
from evcs.core.placement import OCPP, holder


class State(StrEnum):
    """A CP's state, as the contract has it."""

    ACTIVATED = "ACTIVATED"
    SUPPLYING = "SUPPLYING"
    OUT_OF_ORDER = "OUT_OF_ORDER"
    BROKEN_DOWN = "BROKEN_DOWN"
    DISCONNECTED = "DISCONNECTED"


OCPP_STATUS = {
    State.ACTIVATED: "Available",
    State.SUPPLYING: "Charging",
    State.OUT_OF_ORDER: "Unavailable",
    State.BROKEN_DOWN: "Faulted",
    State.DISCONNECTED: "Offline",
}


#: Where a real charger's own word says more.
TOLD_BY_CHARGER = frozenset({State.ACTIVATED, State.SUPPLYING, State.BROKEN_DOWN})


class View(NamedTuple):
    """All that a judgement rests on. `supplying`: the ledger has a session under way here.

    `power`: why that takes none, or takes what it is not to take; "" where nothing is wrong.
    `host_gone`: nobody speaks for the machine that it runs on.
    """

    desired: DesiredCp
    engine: EngineStatus | None
    monitor: MonitorStatus | None
    supplying: bool
    power: str = ""
    host_gone: bool = False


class Rule(NamedTuple):
    """One row: where `holds`, the state is `state`, and `reason` says why (a word or a view's)."""

    state: State
    label: str
    holds: Callable[[View], bool]
    reason: Callable[[View], str]


def _word(text: str) -> Callable[[View], str]:
    return lambda _: text


def _engine_gone(view: View) -> bool:
    return view.engine is None or not view.engine.online


def _away(view: View) -> str:
    if view.desired.hosting == OCPP:
        return "charger away"
    return f"host {holder(view.desired).host} gone" if view.host_gone else "monitor gone"


def _fault(view: View) -> str:
    fault = (view.monitor and view.monitor.fault) or (view.engine and view.engine.fault)
    return short(f"fault: {fault}") if fault else "fault"


#: Why a real charger may not be as the operator has it.
NOT_CONFIRMED = "not confirmed by the charger"


def _unless_confirmed(text: str) -> Callable[[View], str]:
    def reason(view: View) -> str:
        confirmed = view.monitor and view.monitor.service == view.desired.service
        return text if confirmed or view.desired.hosting != OCPP else NOT_CONFIRMED

    return reason


RULES = (
    Rule(State.DISCONNECTED, "revoked", lambda v: v.desired.revoked, _word("revoked")),
    Rule(State.DISCONNECTED, "not seen yet", lambda v: v.monitor is None, _word("not seen yet")),
    Rule(
        State.DISCONNECTED,
        "monitor gone",
        lambda v: v.monitor is not None and not v.monitor.online,
        _away,
    ),
    Rule(State.BROKEN_DOWN, "engine gone", _engine_gone, _word("engine gone")),
    Rule(
        State.BROKEN_DOWN,
        "engine silent",
        lambda v: v.monitor is not None and v.monitor.engine == EngineHealth.SILENT,
        _word("silent"),
    ),
    Rule(
        State.BROKEN_DOWN,
        "engine ko",
        lambda v: (
            (v.monitor is not None and v.monitor.engine == EngineHealth.KO)
            or (v.engine is not None and v.engine.fault is not None)
        ),
        _fault,
    ),
    Rule(
        State.OUT_OF_ORDER,
        "stopped by the operator",
        lambda v: v.desired.service == "out",
        _unless_confirmed("stopped by the operator"),
    ),
    Rule(State.SUPPLYING, "session under way", lambda v: v.supplying, lambda v: v.power),
    Rule(
        State.ACTIVATED,
        "otherwise",
        lambda _: True,
        lambda v: v.power or _unless_confirmed("")(v),
    ),
)


def judge(view: View) -> tuple[State, str]:
    """The state and its reason."""
    for rule in RULES:
        if rule.holds(view):
            return rule.state, rule.reason(view)
    raise AssertionError("the last rule always holds")


def needs_a_hand(state: str, reason: str) -> bool:
    """Broken down by a fault, which no waiting mends."""
    return state == State.BROKEN_DOWN and reason.startswith("fault")


def diagram() -> str:
    """RULES as a Mermaid flow chart."""
    lines = ["flowchart TD"]
    for number, rule in enumerate(RULES):
        if number + 1 < len(RULES):
            lines.append(f"  r{number}{{{rule.label}?}} -- yes --> s{number}[{rule.state}]")
            lines.append(f"  r{number} -- no --> r{number + 1}")
        else:
            lines.append(f"  r{number}({rule.label}) --> s{number}[{rule.state}]")
    return "\n".join(lines) + "\n"
