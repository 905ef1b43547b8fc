"""A5, A8, A10, A11, A12, A14, A21: charges through the end of each process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.charging import begin, metered, no_ticket_is_doubled, session, ticket, watched
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> Iterator[System]:
    system = new_system()
    system.env["EVCS_CRASH_AT"] = f"@{system.home}/run/crash_at"
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    system.ok("evcs", "driver", "add", "ALICE", "BOB", "CARA")
    system.steady()
    yield system
    no_ticket_is_doubled(system)
    system.down()


def _kill(system: System, name: str, how: int = signal.SIGKILL) -> int:
    pid = system.processes()[name]
    os.kill(pid, how)
    return pid


def _another(system: System, name: str, pid: int) -> None:
    eventually(f"another {name}", lambda: system.processes().get(name, pid) != pid)


def _metered(system: System, cp: str, session_id: str, wh: int) -> None:
    eventually(f"{wh} Wh", lambda: metered(system, cp).get(session_id) == wh)


def _supplying_again(system: System, cp: str, session_id: str, above_wh: int) -> None:
    eventually(
        "it goes on",
        lambda: (
            system.states().get(cp) == "SUPPLYING"
            and metered(system, cp).get(session_id, 0) > above_wh
        ),
    )


def test_engine_killed_goes_on_with_the_same_session(fleet: System) -> None:
    charge = watched(fleet, "CP-001", "ALICE", "2.5")
    eventually("it meters", lambda: any(wh > 300 for wh in metered(fleet, "CP-001").values()))
    (open_session,) = [
        s for s in fleet.ok("evcs", "sessions", "--json").json if s["state"] == "active"
    ]
    with fleet.listening("evcs/v1/central/cp/CP-001/state") as heard:
        _kill(fleet, "CP-001:engine", signal.SIGSTOP)
        journal = fleet.home / "data" / "journals" / "CP-001.jsonl"
        with journal.open("ab") as file:
            file.write(b'{}\n{"phase":"supplying"}\n')  # by a hand: no line of an Engine's
        _kill(fleet, "CP-001:engine")
        _supplying_again(fleet, "CP-001", open_session["session_id"], 500)
    assert "BROKEN_DOWN" in [payload["state"] for _, payload in heard]
    out, err = charge.communicate(timeout=90)
    events = [json.loads(line) for line in out.splitlines()]
    assert "interrupted" in [event["event"] for event in events], err
    assert {event["session_id"] for event in events} == {open_session["session_id"]}
    found = ticket(fleet, open_session["session_id"])
    assert (found["energy_wh"], found["reason"]) == (2500, "completed")


def test_hung_engine_is_seen_meters_nothing_and_is_restarted(fleet: System) -> None:
    open_session = begin(fleet, "CP-002", "BOB")
    pid = _kill(fleet, "CP-002:engine", signal.SIGSTOP)
    fleet.wait_for_state("CP-002", "BROKEN_DOWN", 10)
    shown = fleet.ok("evcs-cp", "show", "CP-002", "--json").json
    assert shown["reason"] == "silent"
    assert session(fleet, open_session)["state"] == "interrupted"
    before = metered(fleet, "CP-002")[open_session]
    eventually("restarted", lambda: fleet.processes().get("CP-002:engine", pid) != pid, 40)
    _supplying_again(fleet, "CP-002", open_session, before)
    fleet.ok("evcs-driver", "stop", "--driver", "BOB")
    assert ticket(fleet, open_session)["reason"] == "driver"


def test_engine_paused_for_a_while_goes_on_and_meters_no_absence(fleet: System) -> None:
    open_session = begin(fleet, "CP-002", "BOB")
    pid = _kill(fleet, "CP-002:engine", signal.SIGSTOP)
    fleet.wait_for_state("CP-002", "BROKEN_DOWN", 10)
    before = metered(fleet, "CP-002")[open_session]
    began = time.monotonic()
    eventually("8 seconds", lambda: time.monotonic() - began > 8, 20)
    os.kill(pid, signal.SIGCONT)
    eventually("next reading", lambda: metered(fleet, "CP-002")[open_session] > before, 20)
    after = metered(fleet, "CP-002")[open_session]
    # 22 kW at 60 times the speed are 367 Wh a second; one step covers at most two of them.
    assert after - before <= 3 * 367
    fleet.wait_for_state("CP-002", "SUPPLYING")
    fleet.ok("evcs-driver", "stop", "--driver", "BOB")
    ticket(fleet, open_session)


def test_monitor_killed_is_back_and_the_charge_goes_on(fleet: System) -> None:
    open_session = begin(fleet, "CP-003", "CARA")
    with fleet.listening("evcs/v1/central/cp/CP-003/state") as heard:
        _kill(fleet, "CP-003:monitor")

        def back() -> bool:
            told = [state["state"] for _, state in heard]
            return "DISCONNECTED" in told and told[-1] == "SUPPLYING"

        eventually("back", back, 10)
    fleet.ok("evcs-driver", "stop", "--driver", "CARA")
    assert ticket(fleet, open_session)["reason"] == "driver"


def test_monitor_gone_for_long_ends_the_supply(fleet: System) -> None:
    open_session = begin(fleet, "CP-003", "CARA")
    fleet.ok("supervisorctl", "stop", "cp-manager")
    fleet.ok("supervisorctl", "stop", "CP-003:monitor")
    try:
        fleet.wait_for_state("CP-003", "DISCONNECTED", 10)
        denied = fleet.run("evcs-driver", "charge", "CP-003", "--driver", "ALICE")
        assert denied.code == 5
        assert ticket(fleet, open_session)["reason"] == "monitor_gone"
    finally:
        fleet.ok("supervisorctl", "start", "CP-003:monitor", "cp-manager")
    fleet.wait_for_state("CP-003", "ACTIVATED")


def test_fault_ends_the_supply_at_once_with_a_ticket(fleet: System) -> None:
    charge = watched(fleet, "CP-001", "ALICE", "20")
    fleet.wait_for_state("CP-001", "SUPPLYING")
    fleet.ok("evcs-cp", "fault", "CP-001", "--reason", "ground fault; 50 % <b>")
    out, _ = charge.communicate(timeout=30)
    assert charge.returncode == 1
    found = json.loads(out.splitlines()[-1])
    assert (found["event"], found["reason"]) == ("ticket", "fault")
    shown = fleet.ok("evcs-cp", "show", "CP-001", "--json").json
    assert (shown["state"], shown["reason"]) == ("BROKEN_DOWN", "fault: ground fault; 50 % <b>")
    assert fleet.run("evcs-driver", "charge", "CP-001", "--driver", "ALICE").code == 5
    fleet.ok("evcs-cp", "clear", "CP-001")
    ticket(fleet, found["session_id"])


def test_a_fault_by_hand_stays_until_it_is_cleared(fleet: System) -> None:
    open_session = begin(fleet, "CP-002", "BOB")
    fleet.ok("evcs-cp", "fault", "CP-002", "--reason", "cable damaged")
    assert ticket(fleet, open_session)["reason"] == "fault"

    def is_kept() -> bool:
        shown = fleet.ok("evcs-cp", "show", "CP-002", "--json").json
        return (shown["state"], shown["reason"]) == ("BROKEN_DOWN", "fault: cable damaged")

    pid = _kill(fleet, "CP-002:engine")
    _another(system=fleet, name="CP-002:engine", pid=pid)
    eventually("kept over a kill", is_kept)
    fleet.ok("evcs-cp", "restart", "CP-002")
    eventually("kept over a restart", is_kept)
    fleet.kill_all()
    told = fleet.ok("evcs", "up", "--wait").err
    assert "CP-002: fault: cable damaged; mend it, then: " in told
    assert is_kept()
    assert "CP-002 ACTIVATED" in fleet.ok("evcs-cp", "clear", "CP-002").out
    assert "CP-002 ACTIVATED" in fleet.ok("evcs-cp", "restart", "CP-002").out


def test_unplug_ends_the_supply(fleet: System) -> None:
    open_session = begin(fleet, "CP-001", "ALICE")
    fleet.ok("evcs-cp", "unplug", "CP-001")
    assert ticket(fleet, open_session)["reason"] == "unplugged"


def test_broker_killed_again_and_again(fleet: System) -> None:
    sessions = [
        begin(fleet, cp, driver, "6") for cp, driver in (("CP-001", "ALICE"), ("CP-002", "BOB"))
    ]
    for _ in range(5):
        pid = _kill(fleet, "mosquitto")
        _another(system=fleet, name="mosquitto", pid=pid)
    for one in sessions:
        found = ticket(fleet, one, 90)
        assert (found["energy_wh"], found["reason"]) == (6000, "completed")


@pytest.mark.parametrize("point", ["before_commit", "committed", "published"])
@pytest.mark.parametrize("when", ["request", "end"])
def test_central_killed_before_and_after_each_commit(fleet: System, point: str, when: str) -> None:
    mark = fleet.home / "run" / "crash_at"
    wh = 1000 if when == "request" else 2000
    if when == "request":
        mark.write_text(f"central.{point}")
    charge = watched(fleet, "CP-001", "ALICE", str(wh / 1000))
    if when == "end":
        eventually("it supplies", lambda: fleet.states()["CP-001"] == "SUPPLYING")
        mark.write_text(f"central.{point}")
    eventually("the crash point was reached", lambda: not mark.exists(), 30)
    out, err = charge.communicate(timeout=90)
    assert charge.returncode == 0, err
    found = json.loads(out.splitlines()[-1])
    assert (found["event"], found["energy_wh"], found["reason"]) == ("ticket", wh, "completed")
    rows = fleet.ok("evcs", "sessions", "--driver", "ALICE", "--json").json
    assert rows[0]["session_id"] == found["session_id"]
    assert {row["state"] for row in rows} == {"settled"}
    no_ticket_is_doubled(fleet)


def _says_that_central_is_there(system: System) -> bool:
    topic = "evcs/v1/cp/CP-001/engine/status"
    return bool(system.retained(topic)[topic]["central"])


def test_central_stopped_while_engines_go_on(fleet: System) -> None:
    """A7: Central is ended and started anew (G15), the engines see it by its will."""
    sessions = [begin(fleet, "CP-001", "ALICE", "3"), begin(fleet, "CP-002", "BOB", "3")]
    pid = _kill(fleet, "central", signal.SIGSTOP)
    topic = "evcs/v1/cp/CP-001/engine/status"
    with fleet.listening(topic) as told:
        for cp, one in zip(("CP-001", "CP-002"), sessions, strict=True):
            _metered(fleet, cp, one, 3000)
        eventually("another one", lambda: fleet.processes().get("central", pid) != pid)
    assert False in [status["central"] for _, status in told]
    for one in sessions:
        assert ticket(fleet, one)["reason"] == "completed"
    eventually("engines show it", lambda: _says_that_central_is_there(fleet))


def test_drivers_terminal_killed(fleet: System) -> None:
    charge = watched(fleet, "CP-003", "CARA", "3")
    fleet.wait_for_state("CP-003", "SUPPLYING")
    charge.kill()
    charge.communicate(timeout=10)
    rows = fleet.ok("evcs-driver", "history", "--driver", "CARA", "--json").json
    assert rows[0]["state"] == "active"
    found = ticket(fleet, rows[0]["session_id"])
    assert found["energy_wh"] == 3000
    rows = fleet.ok("evcs-driver", "history", "--driver", "CARA", "--json").json
    assert rows[0] == found


def test_orderly_restart_in_a_supply(fleet: System) -> None:
    open_session = begin(fleet, "CP-001", "ALICE", "3")
    before = metered(fleet, "CP-001")[open_session]
    fleet.ok("evcs", "restart")
    _supplying_again(fleet, "CP-001", open_session, before)
    found = ticket(fleet, open_session, 90)
    assert (found["energy_wh"], found["reason"]) == (3000, "completed")


def test_power_cut_in_supplies(fleet: System) -> None:
    sessions = [
        begin(fleet, cp, driver, "3") for cp, driver in (("CP-001", "ALICE"), ("CP-002", "BOB"))
    ]
    fleet.kill_all()
    fleet.up()
    for one in sessions:
        found = ticket(fleet, one, 90)
        assert (found["energy_wh"], found["reason"]) == (3000, "completed")


def test_operator_closes_what_never_comes_back(fleet: System) -> None:
    open_session = begin(fleet, "CP-003", "CARA")
    fleet.ok("supervisorctl", "stop", "cp-manager")
    fleet.ok("supervisorctl", "stop", "CP-003:engine")
    try:
        eventually("interrupted", lambda: session(fleet, open_session)["state"] == "interrupted")
        closed = fleet.ok("evcs", "sessions", "close", open_session, "--json").json
        assert (closed["state"], closed["reason"]) == ("settled", "closed")
        assert closed["energy_wh"] == metered(fleet, "CP-003")[open_session]
        again = fleet.run("evcs", "sessions", "close", open_session)
        assert again.code == 5
        assert fleet.run("evcs", "sessions", "close", "no-such").code == 4
    finally:
        fleet.ok("supervisorctl", "start", "CP-003:engine", "cp-manager")
    fleet.wait_for_state("CP-003", "ACTIVATED")


def test_an_engine_that_lost_its_journal(fleet: System) -> None:
    fleet.ok("evcs-cp", "create", "CP-009")
    open_session = begin(fleet, "CP-009", "CARA")
    (fleet.home / "data" / "journals" / "CP-009.jsonl").unlink()
    pid = _kill(fleet, "CP-009:engine")
    _another(fleet, "CP-009:engine", pid)
    eventually(
        "its session is interrupted",
        lambda: session(fleet, open_session)["state"] == "interrupted",
    )
    fleet.ok("evcs-driver", "stop", "--driver", "CARA")
    found = session(fleet, open_session)
    assert (found["state"], found["reason"]) == ("settled", "driver")
    assert found["energy_wh"] > 0
    eventually("the CP is free", lambda: fleet.states().get("CP-009") == "ACTIVATED")
    fleet.ok("evcs-cp", "delete", "CP-009", "--yes")
