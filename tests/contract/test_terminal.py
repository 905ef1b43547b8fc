"""What a person at a terminal meets: questions, Ctrl-C, progress, next steps, other terminals."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import pytest

from evcs.adapters import processes
from tests.system_under_test import ROOT, Done, System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    return system


def at_terminal(system: System, *command: str, answer: str = "") -> Done:
    """A command with a terminal as stdin and stderr, and what was typed there."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    process = subprocess.Popen(
        [ROOT / "bin" / command[0], *command[1:]], env={**system.env, "TERM": "xterm"},
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal's end
        while more := os.read(ours, 65_536):
            shown += more
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return Done(process.returncode, out, shown.decode())


def test_a_no_is_said_and_has_an_exit_code(fleet: System) -> None:
    done = at_terminal(fleet, "evcs-cp", "delete", "CP-00{1..2}", answer="n\n")
    assert done.code == 1
    assert "nothing was deleted" in done.err
    assert len(fleet.states()) == 3


def test_progress_is_told_on_a_terminal_alone(fleet: System) -> None:
    done = at_terminal(fleet, "evcs", "restart")
    assert done.code == 0, done
    stages = ("stopping 3 CPs", "starting broker, services", "waiting for the services")
    assert [stage for stage in stages if stage not in done.err] == []
    assert fleet.ok("evcs", "up", "--wait").err == "runs already\n"


def test_check_is_well_right_after_a_create(fleet: System) -> None:
    for number in range(3):
        fleet.ok("evcs-cp", "create", f"N-{number}")
        done = fleet.run("evcs", "status", "--check")
        assert done.code == 0, done
    fleet.ok("evcs-cp", "delete", "N-*", "--yes")


def test_a_stop_that_another_terminal_undoes_ends_at_once(fleet: System) -> None:
    """Central hangs, so that it judges neither."""
    central = fleet.steady()["central"]
    os.kill(central, signal.SIGSTOP)
    stop = fleet.spawn("evcs-cp", "stop", "CP-001")
    eventually(
        "registered",
        lambda: fleet.http("GET", f"{fleet.registry_url}/api/v1/cps/CP-001")[1]["service"] == "out",
    )
    fleet.ok("evcs-cp", "resume", "CP-001", "--no-wait")
    _, told = stop.communicate(timeout=20)
    os.kill(central, signal.SIGCONT)
    assert stop.returncode == 5, told
    assert "CP-001 was put back into service by another command meanwhile" in told
    fleet.wait_for_state("CP-001", "ACTIVATED")


def test_a_create_that_central_does_not_judge_is_registered_and_says_so(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "central")
    try:
        done = fleet.run("evcs-cp", "create", "Z-001")
        assert done.code == 6
        assert "registered: Z-001; but Central does not answer" in done.err
        log = fleet.home / "log" / "mosquitto.log"
        before = log.read_text().count("u'inspector'")
        bulk = fleet.spawn("evcs-cp", "create", "Z-{002..009}")
        eventually("it listens", lambda: log.read_text().count("u'inspector'") > before)
        bulk.send_signal(signal.SIGINT)
        _, told = bulk.communicate(timeout=20)
        assert bulk.returncode == 130
        assert "registered: 8 CPs; left before Central had judged it" in told
    finally:
        fleet.ok("supervisorctl", "start", "central")
    fleet.wait_for_state("Z-009", "ACTIVATED")


def test_the_timeout_holds_while_the_registry_hangs(fleet: System) -> None:
    pid = fleet.steady()["registry"]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = fleet.run("evcs-cp", "create", "Y-001", "--timeout", "2", timeout=15)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.code == 6
    assert "gave no answer" in done.err or "does not answer" in done.err


def test_next_steps_are_as_they_can_be_typed(fleet: System) -> None:
    bare = {**fleet.env, "PATH": os.environ["PATH"]}
    for folder, cwd in (("bin/", ROOT), (f"{ROOT}/bin/", fleet.home)):
        done = subprocess.run(
            [f"{folder}evcs-cp", "show", "CP-404"], env=bare, cwd=cwd, capture_output=True,
            text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.stderr == f"error: no CP CP-404; list them with: {folder}evcs-cp list\n"
    assert fleet.run("evcs-cp", "show", "CP-404").err.endswith(" with: evcs-cp list\n")


def test_a_restart_of_a_revoked_cp_is_refused_at_once(fleet: System) -> None:
    fleet.ok("evcs-cp", "revoke", "CP-003")
    try:
        done = fleet.run("evcs-cp", "restart", "CP-003", timeout=30)
        assert (done.code, "CP-003 is revoked" in done.err) == (5, True), done
        assert fleet.run("evcs-cp", "restart", "CP-002", "CP-003", timeout=30).code == 8
    finally:
        fleet.ok("evcs-cp", "rekey", "CP-003")


def test_ctrl_c_while_a_command_loads_is_silent(fleet: System) -> None:
    process = subprocess.Popen(
        # Where the tests run in the background, they have been told to ignore it.
        ["env", "--default-signal=INT", ROOT / "bin" / "evcs", "status"],
        env={**fleet.env, "PYTHONPROFILEIMPORTTIME": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    # It gets no further than a page ahead of its reader, however busy that is.
    fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
    next(line for line in process.stderr if line.split()[-1] == "evcs.cli")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (-signal.SIGINT, "")
    assert "Traceback" not in err


def test_a_terminal_that_cannot_show_a_place(fleet: System) -> None:
    fleet.ok("evcs-cp", "edit", "CP-001", "--location", "日本")
    done = fleet.run("evcs-cp", "list", PYTHONIOENCODING="latin-1")
    assert done.code == 0, done
    assert "\\u65e5\\u672c" in done.out


def test_a_stdout_that_is_full(fleet: System) -> None:
    for line in ("evcs-cp list --json", "evcs-cp -h"):
        done = subprocess.run(
            ["sh", "-c", f"exec {ROOT}/bin/{line} >/dev/full"], env=fleet.env, text=True,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == "error: No space left on device; make room, then try again\n"


def test_a_command_without_one_of_its_streams(fleet: System) -> None:
    for line, code in (
        ("evcs-cp list >&-", 0), ("evcs-cp show CP-404 >&-", 4), ("evcs-cp apply -f - <&-", 0),
    ):  # fmt: skip
        done = subprocess.run(
            ["sh", "-c", f"exec {ROOT}/bin/{line}"], env=fleet.env, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), (line, done)


def test_while_supervisord_ends_it_is_said(fleet: System) -> None:
    pids = fleet.steady()
    engine = pids["CP-001:engine"]
    os.kill(engine, signal.SIGSTOP)  # so that it takes long
    try:
        fleet.ok("supervisorctl", "shutdown")
        for command in ("up", "status", "down"):
            done = fleet.run("evcs", command)
            assert done.code == 6, done
            assert "is ending" in done.err
    finally:
        os.kill(engine, signal.SIGCONT)
    eventually("the end", lambda: not processes.lives(engine), 20)
    eventually("a start", lambda: fleet.run("evcs", "up", "--wait").code == 0, 60)


def test_times_are_local_with_their_offset_on_a_terminal_alone(fleet: System) -> None:
    zone = "Asia/Kolkata"
    piped = fleet.launch("evcs", "audit", "--limit", "1", TZ=zone).out
    assert re.search(r"^\d{4}-\d\d-\d\dT\S+Z ", piped.splitlines()[1])
    for line in ("evcs audit --limit 1", "evcs-cp list -o wide", "evcs-cp show CP-001",
                 "evcs logs registry mosquitto -n 1"):  # fmt: skip
        shown = on_terminal(fleet, *line.split(), TZ=zone)
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+05:30", shown), (line, shown)
        assert not re.search(r"T\d\d:\d\d:\d\d\.\d{3}Z", shown), (line, shown)
        assert "+05:30" not in fleet.launch(*line.split(), "--json", TZ=zone).out


def test_errors_that_are_alike_are_told_once(fleet: System) -> None:
    done = fleet.run("evcs-cp", "create", "CP-{001..003}")
    assert (done.code, done.out) == (5, "")
    said = "error: 3 CPs alike (CP-001, CP-002, CP-003): CP CP-001 exists already"
    assert done.err.startswith(said)
    assert done.err.endswith("; or leave it as it is: --if-not-exists\n")
    assert len(done.err.splitlines()) == 1
    fleet.ok("evcs", "driver", "add", "ALICE")
    done = fleet.run("evcs", "driver", "remove", "EVE", "MALLORY", "ALICE")
    assert (done.code, done.out) == (8, "ALICE removed\n")
    assert done.err.startswith("error: 2 drivers alike (EVE, MALLORY): no driver EVE")


def test_a_location_that_is_typed_as_a_name_is_known_and_taken_by_stop(fleet: System) -> None:
    fleet.ok("evcs-cp", "edit", "CP-001", "CP-002", "--location", "North gate")
    done = fleet.run("evcs-cp", "stop", "north")
    assert (done.code, "evcs-cp stop --location north" in done.err) == (4, True), done
    done = fleet.run("evcs-cp", "plug", "North gate")
    assert (done.code, "evcs-cp list --location 'North gate'" in done.err) == (4, True), done
    stopped = fleet.ok("evcs-cp", "stop", "--location", "north", "--json").json
    assert [cp["id"] for cp in stopped] == ["CP-001", "CP-002"]
    assert fleet.ok("evcs-cp", "resume", "CP-00{1..3}", "--location", "north").out.count("\n") == 2
    assert fleet.run("evcs-cp", "stop", "--location", "South").code == 4
    assert fleet.run("evcs-cp", "stop", "--location", "north", "--all").code == 2


def test_resume_of_a_revoked_cp_names_the_way_and_rekey_has_it_back(fleet: System) -> None:
    fleet.ok("evcs-cp", "revoke", "CP-002")
    assert "evcs-cp rekey CP-002\n" in fleet.ok("evcs-cp", "resume", "CP-002").err
    assert "evcs-cp rekey CP-002\n" in fleet.ok("evcs-cp", "show", "CP-002").err
    assert fleet.ok("evcs-cp", "rekey", "CP-002").out == "CP-002 ACTIVATED\n"
    assert fleet.states()["CP-002"] == "ACTIVATED"


def test_clear_says_what_has_no_fault(fleet: System) -> None:
    fleet.ok("evcs-cp", "fault", "CP-002")
    stopped = fleet.ok("evcs-cp", "stop", "CP-002").out
    assert stopped == "CP-002 BROKEN_DOWN (stopped by the operator, too)\n"
    assert fleet.ok("evcs-cp", "resume", "CP-002").out == "CP-002 BROKEN_DOWN\n"
    done = fleet.ok("evcs-cp", "clear", "CP-001", "CP-002")
    assert done.err == "CP-001 has no fault\n"


def test_quiet_is_quiet(fleet: System) -> None:
    for line in (
        "evcs up --wait", "evcs driver add QUINN", "evcs driver tag QUINN add 04A1",
        "evcs tls init",
        "evcs-cp create Q-1", "evcs-cp edit Q-1 --location Roof", "evcs-cp stop Q-1",
        "evcs-cp resume Q-1", "evcs-cp fault Q-1", "evcs-cp clear Q-1", "evcs-cp restart Q-1",
        "evcs-cp plug Q-1", "evcs-cp unplug Q-1", "evcs-cp kill Q-1 engine", "evcs-cp revoke Q-1",
        "evcs-cp rekey Q-1", "evcs-driver charge Q-1 --driver QUINN --no-watch",
        "evcs circuit add QC --max-power-kw 22", "evcs circuit edit QC --max-power-kw 44",
        "evcs circuit remove QC", f"evcs backup {fleet.home}/quiet.backup",
        "evcs-cp list --state disconnected", "evcs status --check",
    ):  # fmt: skip
        done = fleet.run(*line.split(), "--quiet")
        assert (done.code, done.out, done.err) == (0, "", ""), line
    done = fleet.ok("evcs-driver", "stop", "--driver", "QUINN", "--quiet")
    assert (done.out.startswith("ticket "), done.err) == (True, "")
    assert fleet.ok("evcs-cp", "list", "Q-1", "-q").out.splitlines()[-1].startswith("Q-1 ")
    assert fleet.ok("evcs-cp", "delete", "Q-1", "--quiet").out == ""
    assert "no CP CP-404" in fleet.run("evcs-cp", "show", "CP-404", "--quiet").err


def on_terminal(system: System, *command: str, **env: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ROOT / "bin" / command[0], *command[1:], "--no-color"],
        env={**system.env, "TERM": "xterm", **env}, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the terminal's end
        while more := os.read(ours, 65_536):
            shown += more
    os.close(ours)
    assert process.wait(30) == 0, shown
    return shown.decode()
