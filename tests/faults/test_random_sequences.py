"""Random sequences of changes and kills against a running system and a model of ten lines.

Three in the checks; for hours by hand, with --hypothesis-seed to repeat a run:
    SEQUENCES=1000 bin/check tests/faults/test_random_sequences.py
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually

CPS = ("CP-1", "CP-2", "CP-3")
SERVICES = ("mosquitto", "registry", "central", "cp-manager", "web")

cps = st.sampled_from(CPS)
operations = st.one_of(
    st.tuples(st.just("create"), cps, st.sampled_from(["0.10", "0.20"])),
    st.tuples(st.just("edit"), cps, st.sampled_from(["0.30", "0.40"])),
    st.tuples(st.sampled_from(["delete", "stop", "resume"]), cps, st.none()),
    st.tuples(st.sampled_from(["kill", "restart"]), st.sampled_from(SERVICES), st.none()),
    st.tuples(st.just("kill"), st.sampled_from([f"{cp}:engine" for cp in CPS]), st.none()),
)


class Model:
    """What the Registry should want: id -> [price, service]."""

    def __init__(self) -> None:
        self.cps: dict[str, list[str]] = {}

    def apply(self, verb: str, cp: str, price: str | None) -> None:
        if verb == "create":
            self.cps.setdefault(cp, [price or "", "in"])
        elif verb == "delete":
            self.cps.pop(cp, None)
        elif verb == "edit" and cp in self.cps:
            self.cps[cp][0] = price or ""
        elif verb in ("stop", "resume") and cp in self.cps:
            self.cps[cp][1] = "out" if verb == "stop" else "in"


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "KEEP")
    system.steady()
    return system


def _change(system: System, verb: str, cp: str, price: str | None) -> None:
    """One command; whoever it needs may just have been killed, so it is said until it is taken."""
    more = ["--price-eur-kwh", price] if price else []
    more += ["--if-not-exists"] if verb == "create" else []

    def taken() -> bool:
        done = system.run("evcs-cp", verb, cp, *more, "--no-wait")
        if done.code == 5 and "being deleted" in done.err:
            return False
        assert done.code in (0, 4, 6), done
        return done.code in (0, 4)

    eventually(f"{verb} {cp} is taken", taken)


def _process(system: System, verb: str, name: str) -> None:
    if verb == "restart":
        system.run("supervisorctl", "restart", name)
        return
    pid = system.processes().get(name)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(3 * 3600)
@settings(
    max_examples=int(os.environ.get("SEQUENCES", "3")),
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(operations, min_size=4, max_size=12))
def test_the_fleet_becomes_what_the_registry_says(
    fleet: System, sequence: list[tuple[str, str, str | None]]
) -> None:
    model = Model()
    for cp in CPS:
        _change(fleet, "delete", cp, None)
    assert wait_until_consistent(fleet, 90) == {"KEEP"}
    bystander = {role: fleet.processes()[f"KEEP:{role}"] for role in ("engine", "monitor")}
    for verb, name, price in sequence:
        note(f"{verb} {name} {price or ''}")
        if name in CPS:
            model.apply(verb, name, price)
            _change(fleet, verb, name, price)
        else:
            _process(fleet, verb, name)
    assert wait_until_consistent(fleet, 90) == {"KEEP", *model.cps}
    found = {cp["id"]: [cp["price_eur_kwh"], cp["service"]] for cp in fleet.cps()}
    del found["KEEP"]
    assert found == model.cps
    now = fleet.processes()
    assert {role: now[f"KEEP:{role}"] for role in ("engine", "monitor")} == bystander
