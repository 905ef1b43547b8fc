"""A1, A2, F5: CP Manager and Registry end themselves at each step of a change."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.invariants import wait_until_audited, wait_until_consistent
from tests.system_under_test import System, eventually

#: What a crash there leaves is as if nothing had been asked.
UNDONE = ("registry.secrets_written", "registry.audit_prepared")
MADE = ("registry.committed", "registry.accounts_written", "registry.published")
CREATE = (
    "registry.secrets_written", *MADE, "manager.section_written", "manager.group_added",
    "manager.reported",
)  # fmt: skip
EDIT = (*UNDONE, *MADE, "registry.audited", "manager.reported", "central.before_commit",
        "central.committed")  # fmt: skip
DELETE = (
    *MADE, "manager.section_erased", "manager.group_stopped", "manager.group_removed",
    "manager.reported", "registry.secrets_written:finish",
    *(f"{point}:finish" for point in MADE),
)  # fmt: skip


@pytest.fixture(scope="module")
def armed(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    system.ok("evcs-cp", "create", "KEEP")
    eventually("it runs", lambda: "KEEP:engine" in system.processes())
    return system


def _mark(system: System) -> Path:
    return system.home / "run" / "crash_at"


def _arm(system: System, point: str) -> None:
    _mark(system).write_text(point)


def _went_off(system: System) -> None:
    eventually("the crash point was reached", lambda: not _mark(system).exists(), 20)


def _bystander(system: System) -> tuple[int, int]:
    now = system.processes()
    return now["KEEP:engine"], now["KEEP:monitor"]


@pytest.mark.parametrize("point", CREATE)
def test_create(armed: System, point: str) -> None:
    before, cp = _bystander(armed), f"C{CREATE.index(point)}"
    _arm(armed, point)
    done = armed.run("evcs-cp", "create", cp, "--no-wait")
    assert done.code in (0, 6), done
    _went_off(armed)
    left = wait_until_consistent(armed)
    assert "KEEP" in left
    wait_until_audited(armed)
    if done.code == 0 or point not in UNDONE:
        assert cp in left
        armed.wait_for_state(cp, "ACTIVATED")
    else:
        assert cp not in left
    assert _bystander(armed) == before


@pytest.mark.parametrize("point", EDIT)
def test_edit(armed: System, point: str) -> None:
    before = _bystander(armed)
    price = f"0.{11 + EDIT.index(point)}"
    _arm(armed, point)
    done = armed.run("evcs-cp", "edit", "KEEP", "--price-eur-kwh", price, "--no-wait")
    assert done.code in (0, 6), done
    _went_off(armed)
    wait_until_consistent(armed)
    wait_until_audited(armed)
    now = armed.ok("evcs-cp", "show", "KEEP", "--json").json["price_eur_kwh"]
    told = armed.retained("evcs/v1/registry/cp/KEEP")["evcs/v1/registry/cp/KEEP"]["price_eur_kwh"]
    assert now == told
    assert (now == price) == (point not in UNDONE)
    assert _bystander(armed) == before


@pytest.mark.parametrize("point", DELETE)
def test_delete(armed: System, point: str) -> None:
    before, cp = _bystander(armed), f"D{DELETE.index(point)}"
    armed.ok("evcs-cp", "create", cp)
    name, _, late = point.partition(":")
    if late:
        # The Registry's second commit for a CP: its tombstone is dropped once it is taken down.
        _arm(armed, "manager.group_removed")
        armed.ok("evcs-cp", "delete", cp, "--no-wait")
        _went_off(armed)
        _arm(armed, name)
    else:
        _arm(armed, name)
        done = armed.run("evcs-cp", "delete", cp, "--no-wait")
        assert done.code in (0, 6), done
    _went_off(armed)
    assert cp not in wait_until_consistent(armed)
    wait_until_audited(armed)
    assert _bystander(armed) == before
    assert not list((armed.home / "data" / "journals").glob(f"{cp}.*"))


CIRCUIT = (*UNDONE, *MADE, "registry.audited")


@pytest.mark.parametrize("point", CIRCUIT)
@pytest.mark.parametrize("verb", ["add", "edit", "remove"])
def test_circuit(armed: System, verb: str, point: str) -> None:
    """Its record, its meter's secret and account, and what is retained go together."""
    name, before = f"C{CIRCUIT.index(point)}{verb}", _circuits(armed)
    if verb != "add":
        armed.ok("evcs", "circuit", "add", name, "--max-power-kw", "1")
        before[name] = 1000
    power = [] if verb == "remove" else ["--max-power-kw", "2"]
    _arm(armed, point)
    done = armed.run("evcs", "circuit", verb, name, *power)
    assert done.code in (0, 6), done
    _went_off(armed)
    wait_until_consistent(armed)
    wait_until_audited(armed)
    after = dict(before)
    if point not in UNDONE:
        after[name] = 2000
        if verb == "remove":
            del after[name]
    eventually("all have the same circuits", lambda: _circuits(armed) == after)


def _circuits(system: System) -> dict[str, int]:
    """Name -> power where all who know of circuits have the same."""
    found = system.ok("evcs", "circuit", "list", "--json").json
    powers = {one["name"]: one["max_power_w"] for one in found}
    told = system.retained("evcs/v1/registry/circuit/+")
    passwords = (system.home / "data" / "mosquitto.passwd").read_text()
    secrets = {path.name for path in (system.home / "data" / "secrets").glob("meter/*")}
    same = {
        topic.rpartition("/")[2]: one["max_power_w"] for topic, one in told.items()
    } == powers and set(
        re.findall(r"^meter/([^:]+):", passwords, re.MULTILINE)
    ) == powers.keys() == secrets
    return powers if same else {}


def test_the_manager_ends_as_it_looks_for_outdated_sections(armed: System) -> None:
    before, manager = _bystander(armed), armed.processes()["cp-manager"]
    _arm(armed, "manager.reloaded")
    os.kill(manager, signal.SIGKILL)
    _went_off(armed)
    assert "KEEP" in wait_until_consistent(armed)
    assert _bystander(armed) == before
