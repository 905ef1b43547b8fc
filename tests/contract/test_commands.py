"""Each command of the contract: its success, each failure, with exit code and JSON."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from evcs.adapters import capacity
from evcs.cli import evcs, evcs_cp, evcs_driver
from tests.contract.cases import FAILURES, NOT_STARTED, STREAMS, SUCCESS, TICKET_FIELDS, a_cp
from tests.system_under_test import Done, System, eventually

CODES = {
    1: {"failed"}, 2: {"bad_value", "usage", "too_large"}, 4: {"not_found"},
    5: {"conflict", "deleting"}, 6: {"unreachable"}, 7: {"timeout"}, 9: {"denied", "forbidden"},
}  # fmt: skip

#: Those that end only by Ctrl-C, and whole shows, have tests of their own.
ELSEWHERE = {
    "evcs watch", "evcs demo", "evcs crashtest", "evcs verify-restart", "evcs ctl", "evcs restart",
}  # fmt: skip


def run(system: System, line: str) -> Done:
    program, *args = line.split()
    return system.run(program, *args, "--json", timeout=60.0)


def refused(done: Done, code: int) -> None:
    """That exit code, one JSON error of its kind, one line on stderr, no traceback."""
    assert done.code == code, done
    error = done.json["error"]
    assert error["code"] in CODES[code]
    assert error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in done.err
    assert done.err


# -- nothing runs ---------------------------------------------------------------------------


@pytest.mark.parametrize("line", NOT_STARTED)
def test_where_nothing_runs(line: str, new_system: Callable[..., System]) -> None:
    system = new_system()
    done = run(system, line)
    if NOT_STARTED[line]:
        refused(done, NOT_STARTED[line])
    else:
        assert done.code == 0, done
        assert done.json is not None
    assert not (system.home / "data").exists()


# -- a fleet that runs ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system(time_scale=600.0)
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    system.ok("evcs-cp", "stop", "CP-003")
    system.ok("evcs", "driver", "add", "ALICE", "BERT")
    files = system.home / "files"
    files.mkdir()
    (files / "same.toml").write_text('[[cp]]\nid = "CP-001"\n')
    (files / "bad.toml").write_text("x = 1\n")
    (files / "run.txt").write_text("CP-001 0.1\n")
    (files / "part.txt").write_text("CP-001 0.1\nCP-003 0.1\n")
    (files / "closed.txt").write_text("CP-003\n")
    (files / "bad.txt").write_text("CP/1\n")
    system.steady()
    return system


@pytest.mark.parametrize("number", range(len(SUCCESS)), ids=lambda n: SUCCESS[n][0])
def test_success(fleet: System, number: int) -> None:
    """In order: they build on one another."""
    line, check = SUCCESS[number]
    done = run(fleet, line.replace("{files}", str(fleet.home / "files")))
    assert done.code == 0, done
    assert check(done.json), done.out


@pytest.mark.parametrize("line", STREAMS)
def test_streams_are_one_document_a_line(fleet: System, line: str) -> None:
    done = run(fleet, line.replace("{files}", str(fleet.home / "files")))
    assert done.code == 0, done
    rows = [json.loads(row) for row in done.out.splitlines()]
    assert rows
    assert all(row.keys() >= STREAMS[line] for row in rows)
    if "event" in STREAMS[line]:
        assert rows[-1].keys() >= TICKET_FIELDS


def test_a_charge_that_is_stopped_and_one_that_is_closed(fleet: System) -> None:
    done = run(fleet, "evcs-driver charge CP-001 --driver ALICE --kwh 900 --no-watch")
    assert done.json["event"] == "authorised"
    refused(run(fleet, "evcs-driver charge CP-002 --driver ALICE --no-watch"), 5)
    refused(run(fleet, "evcs-driver charge CP-001 --driver BERT --no-watch"), 5)
    done = run(fleet, "evcs-driver stop --driver ALICE")
    assert (done.code, done.json["event"], done.json["reason"]) == (0, "ticket", "driver")
    started = run(fleet, "evcs-driver charge CP-001 --driver BERT --kwh 900 --no-watch").json
    ended = run(fleet, "evcs sessions end CP-001")
    assert (ended.code, ended.json["driver"]) == (0, "BERT")
    eventually(
        "its ticket says by whom",
        lambda: (
            run(fleet, f"evcs sessions show {started['session_id']}").json["reason"] == "operator"
        ),
    )
    started = run(fleet, "evcs-driver charge CP-001 --driver BERT --kwh 900 --no-watch").json
    ended = run(fleet, "evcs sessions end BERT")
    assert ended.json["session_id"] == started["session_id"]
    eventually("it has ended", lambda: run(fleet, "evcs sessions end BERT").code == 4)
    assert run(fleet, f"evcs sessions end {started['session_id']}").code == 5
    started = run(fleet, "evcs-driver charge CP-001 --driver BERT --kwh 900 --no-watch").json
    closed = run(fleet, f"evcs sessions close {started['session_id']}")
    assert (closed.code, closed.json["state"]) == (0, "settled")
    refused(run(fleet, f"evcs sessions close {started['session_id']}"), 5)


def test_a_charge_that_ends_by_a_fault_exits_1_with_its_ticket(fleet: System) -> None:
    charge = fleet.spawn("evcs-driver", "charge", "CP-002", "--driver", "BERT", "--kwh", "900",
                         "--json")  # fmt: skip
    fleet.wait_for_state("CP-002", "SUPPLYING")
    fleet.ok("evcs-cp", "fault", "CP-002")
    out, err = charge.communicate(timeout=30)
    assert charge.returncode == 1, err
    assert '"reason": "fault' in out.splitlines()[-1]
    fleet.ok("evcs-cp", "clear", "CP-002")


@pytest.mark.parametrize("line", FAILURES)
def test_failure(fleet: System, line: str) -> None:
    refused(run(fleet, line.replace("{files}", str(fleet.home / "files"))), FAILURES[line])


@pytest.mark.parametrize("line", [
    "evcs config show", "evcs-cp list --json", "evcs-cp show CP-404", "evcs-driver charge",
    "supervisorctl pid central", "supervisorctl pid nobody",
])  # fmt: skip
def test_a_fork_of_the_tests_ends_as_what_a_user_starts(fleet: System, line: str) -> None:
    program, *args = line.split()
    assert fleet.run(program, *args) == fleet.launch(program, *args)


@pytest.mark.parametrize(("line", "meant"), [
    ("evcs-driver charge cp001 --driver ALICE", "CP-001"),
    ("evcs-driver charge CP-001 --driver ALISE", "ALICE"),
    ("evcs-driver history --driver alice", "ALICE"),
    ("evcs logs CP-02", "CP-002"),
    ("evcs logs centrl", "central"),
    ("evcs-cp logs cp-002", "CP-002"),
    ("evcs-cp show CP001", "CP-001"),
    ("evcs-cp stop CPP-001", "CP-001"),
    ("evcs driver remove ALISE", "ALICE"),
    ("evcs driver remove ALISE --forget", "ALICE"),
    ("evcs driver tag ALISE list", "ALICE"),
    ("evcs driver tag ALISE add x", "ALICE"),
])  # fmt: skip
def test_who_may_have_been_meant_is_said(fleet: System, line: str, meant: str) -> None:
    done = run(fleet, line)
    refused(done, 4)
    assert done.json["error"]["hint"] == f"did you mean {meant}?"


def test_a_change_says_what_it_changed(fleet: System) -> None:
    said = fleet.ok("evcs-cp", "edit", "CP-002", "--price-eur-kwh", "0.31", "--max-power-kw", "11")
    words = "price 0.30 -> 0.31 EUR/kWh, power 22 -> 11 kW"
    assert said.out == f"CP-002 ACTIVATED ({words})\n"
    again = fleet.ok("evcs-cp", "edit", "CP-002", "--price-eur-kwh", "0.31")
    assert again.out == "CP-002 ACTIVATED (nothing to change)\n"
    back = run(fleet, "evcs-cp edit CP-002 --price-eur-kwh 0.30 --max-power-kw 22 --no-wait")
    assert back.json["changed"] == ["price 0.31 -> 0.30 EUR/kWh", "power 11 -> 22 kW"]
    assert "until: evcs-cp rekey CP-002" in fleet.ok("evcs-cp", "revoke", "CP-002").err
    fleet.ok("evcs-cp", "rekey", "CP-002")


def test_a_card_is_added_with_the_verb_first_too(fleet: System) -> None:
    fleet.ok("evcs", "driver", "tag", "add", "BERT", "04B1", "my card")
    table = fleet.ok("evcs", "driver", "list").out.splitlines()
    assert "BERT    04B1 'my card'" in table
    wrong = fleet.run("evcs", "driver", "tag", "BERT", "04B2")
    assert (wrong.code, wrong.err.partition("did you mean: ")[2]) == (
        2, "evcs driver tag BERT add 04B2\n"
    )  # fmt: skip
    fleet.ok("evcs", "driver", "tag", "remove", "BERT", "04B1", "my card")


@pytest.mark.parametrize(("line", "meant"), [
    ("evcs sessions --cp CP001", "CP-001"),
    ("evcs sessions --driver ALISE", "ALICE"),
    ("evcs audit --cp CP001", "CP-001"),
])  # fmt: skip
def test_a_list_of_nobody_is_empty_and_says_who_may_have_been_meant(
    fleet: System, line: str, meant: str
) -> None:
    program, *args = line.split()
    assert fleet.ok(program, *args, "--json").json == []
    assert fleet.ok(program, *args).err.endswith(f"did you mean {meant}?\n")


def test_sessions_says_why_there_are_none(fleet: System, new_system: Callable[..., System]) -> None:
    assert fleet.ok("evcs", "sessions", "--cp", "CP-003").err == "no session matches\n"
    other = new_system()
    said = other.ok("evcs", "sessions").err
    assert said == f"no system was ever started in {other.home}; is EVCS_HOME the right one?\n"


def test_status_check_names_each_difference(fleet: System) -> None:
    fleet.ok("evcs-cp", "fault", "CP-001")
    done = run(fleet, "evcs status --check")
    assert done.code == 3
    assert [one["id"] for one in done.json] == ["CP-001"]
    assert done.json[0].keys() == {"id", "difference", "remedy"}
    fleet.ok("evcs-cp", "clear", "CP-001")


def test_part_of_a_bulk(fleet: System) -> None:
    done = run(fleet, "evcs-cp create CP-001 CP-951")
    assert done.code == 8
    taken, made = done.json
    assert (taken["id"], taken["error"]["code"]) == ("CP-001", "conflict")
    assert made["id"] == "CP-951"
    assert a_cp(made)
    assert run(fleet, "evcs-cp delete CP-951").code == 0
    done = run(fleet, "evcs-cp create CP-001 CP-002")
    assert (done.code, len(done.json)) == (5, 2)  # alike everywhere
    files = fleet.home / "files"
    assert run(fleet, f"evcs-driver run {files}/part.txt --driver BERT --pause 0").code == 8
    assert run(fleet, f"evcs-driver run {files}/closed.txt --driver BERT").code == 5


def test_more_cps_than_the_machine_carries_are_not_begun(fleet: System) -> None:
    before = fleet.states()
    done = fleet.run("evcs-cp", "create", "Z-{1..9000}")
    assert done.code == 1, done
    assert "memory for 9000 CPs more" in done.err
    # Of no such price would one be made, should the door let them in.
    many = [{"id": f"Z-{number}", "price_eur_kwh": "none"} for number in range(9000)]
    for server in (fleet.web_url, fleet.registry_url):
        status, found = fleet.http("POST", f"{server}/api/v1/cps", many, fleet.token)
        assert (status, "memory for 9000 CPs" in str(found)) == (503, True)
    assert fleet.states() == before


def test_pools_are_left_only_as_far_as_the_machine_carries_it(fleet: System) -> None:
    pid = int((fleet.home / "run" / "supervisord.pid").read_text())
    names = [f"POOL-{number}" for number in range(4)]
    fleet.ok("evcs-cp", "create", *names, "--hosting", "pool")
    file = fleet.home / "files" / "out.toml"
    file.write_text('[[cp]]\nid = "POOL-{0..3}"\nhosting = "process"\n')
    own = sum(cp["hosting"] == "process" for cp in fleet.cps())
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    files = capacity.FDS_BASE + (own + 1) * capacity.FDS_A_CP
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        done = fleet.run("evcs-cp", "apply", "-f", str(file))
        assert (done.code, f"carries {own + 1} CPs" in done.err) == (1, True), done
        assert fleet.run("evcs-cp", "edit", *names, "--hosting", "process").code == 8
        moved = [cp["id"] for cp in fleet.cps() if cp["id"] in names and cp["pool"] is None]
        for server in (fleet.web_url, fleet.registry_url):
            other = next(name for name in names if name not in moved)
            url = f"{server}/api/v1/cps/{other}"
            status, found = fleet.http("PATCH", url, {"hosting": "process"}, fleet.token)
            assert (status, "processes of their own" in str(found)) == (503, True)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        fleet.ok("evcs-cp", "delete", *names, "--yes")
    assert len(moved) == 1


def test_credentials_that_the_broker_refuses(fleet: System) -> None:
    secret = fleet.home / "data" / "secrets" / "driver" / "EVE"
    secret.write_text("not-a-secret")
    secret.chmod(0o600)
    refused(run(fleet, "evcs-driver charge CP-001 --driver EVE"), 9)
    secret.unlink()


def test_a_central_that_hangs(fleet: System) -> None:
    (pid,) = fleet.pids_of("evcs", "central")
    os.kill(pid, signal.SIGSTOP)
    try:
        done = run(fleet, "evcs-cp stop CP-001 --timeout 1")
        refused(done, 7)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run(fleet, "evcs-cp resume CP-001").code == 0
    fleet.wait_for_state("CP-001", "ACTIVATED")


def test_without_central(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "central")
    refused(run(fleet, "evcs-cp fault CP-001"), 6)
    refused(run(fleet, "evcs-driver list --driver ALICE"), 6)
    fleet.ok("supervisorctl", "start", "central")
    fleet.wait_for_state("CP-001", "ACTIVATED")


def test_without_the_registry(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "registry")
    refused(run(fleet, "evcs-cp create CP-950"), 6)
    assert not (fleet.home / "data" / "secrets" / "cp" / "CP-950").exists()
    fleet.ok("supervisorctl", "start", "registry")


# -- all of it ------------------------------------------------------------------------------


def test_every_command_has_its_cases() -> None:
    tried = [*(line for line, _ in SUCCESS), *STREAMS, *FAILURES, *NOT_STARTED]
    tried += ["evcs-driver stop --driver X", "evcs sessions close X"]  # test_a_charge_that_is_...
    for program in (evcs.program, evcs_cp.program, evcs_driver.program):
        for name in leaves(program, str(program.name)):
            if name not in ELSEWHERE:
                assert any(f"{line} ".startswith(f"{name} ") for line in tried), name


def leaves(found: click.Command, name: str) -> Iterator[str]:
    if isinstance(found, click.Group):
        for sub, one in found.commands.items():
            yield from leaves(one, f"{name} {sub}")
    else:
        yield name


def test_every_command_knows_the_shared_flags() -> None:
    for program in (evcs.program, evcs_cp.program, evcs_driver.program):
        for name in leaves(program, str(program.name)):
            found: click.Command = program
            for word in name.split()[1:]:
                assert isinstance(found, click.Group)
                found = found.commands[word]
            flags = {flag for one in found.params for flag in one.opts}
            assert {"--json", "--quiet", "--no-color"} <= flags, name
            assert found.help, name


def test_restore_and_down(fleet: System, new_system: Callable[..., System], tmp_path: Path) -> None:
    """Last: they end the fleet."""
    goal = tmp_path / "last.backup"
    assert run(fleet, f"evcs backup {goal}").code == 0
    other = new_system()
    assert run(other, f"evcs restore {goal}").json["cps"] == 3
    assert run(fleet, "evcs restart").code == 0
    down = run(fleet, "evcs down")
    assert (down.code, down.json) == (0, {"stopped": True})
    assert run(fleet, "evcs down").json == {"stopped": False}


def test_help_says_something_everywhere() -> None:
    for program in (evcs.program, evcs_cp.program, evcs_driver.program):
        with click.Context(program) as context:
            assert re.search(r"\w+ {2,}\w", program.get_help(context))
