"""A machine joins a centre, and its CPs are CPs like all others; who may not join does not."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import broker_listeners, capacity, certificates
from evcs.cli import prepare
from evcs.core.hosts import FORMAT
from evcs.home import Home
from tests.hosts.network import Machine, Network, host, join, start_centre
from tests.system_under_test import Done, eventually


@pytest.fixture(scope="module")
def centre(machines: Network) -> Machine:
    return start_centre(machines)


@pytest.fixture(scope="module")
def h2(machines: Network, centre: Machine) -> Machine:
    """A host with two CPs of its own processes and two in a pool."""
    made = join(machines, 2)
    centre.ok("evcs-cp", "create", "CP-1", "CP-2", "--host", "h2")
    centre.ok("evcs-cp", "create", "P-1", "P-2", "--host", "h2", "--hosting", "pool")
    return made


def invited(centre: Machine, name: str, *more: str) -> Path:
    path = centre.home.parent / f"{name}.join"
    path.unlink(missing_ok=True)
    centre.ok("evcs", "host", "add", name, "--file", str(path), *more)
    return path


def audited(centre: Machine, what: str) -> list[str]:
    rows = centre.ok("evcs", "audit", "--json").json
    return [f"{one['who']} {one['detail']}" for one in rows if one["what"] == what]


def test_a_host_runs_its_cp_manager_and_its_cps_and_nothing_else(h2: Machine) -> None:
    groups = {name.partition(":")[0] for name in h2.steady()}
    assert groups == {"cp-manager", "CP-1", "CP-2", "_pool-1"}
    assert {one.name for one in (h2.home / "data" / "secrets").iterdir()} == {"cp", "manager"}
    secrets = {one.name for one in (h2.home / "data" / "secrets" / "cp").iterdir()}
    assert secrets == {"CP-1", "CP-2", "P-1", "P-2"}
    for program, *more in (("evcs-cp",), ("evcs-driver", "--driver", "ALICE")):
        done = h2.run(program, "list", *more)
        assert (done.code, "host h2 of a centre at 10.77.0.1" in done.err) == (2, True), done
    assert h2.run("evcs", "sessions").code == 2


def test_its_cps_charge_and_are_worked_on_from_the_centre(centre: Machine, h2: Machine) -> None:
    centre.ok("evcs", "driver", "add", "ALICE")
    for cp in ("CP-1", "P-1"):
        done = centre.ok("evcs-driver", "charge", cp, "--driver", "ALICE", "--kwh", "0.4")
        assert re.search(rf"ticket .*{cp}, 0\.400 kWh", done.out), done
    before = h2.steady()
    centre.ok("evcs-cp", "restart", "CP-2")
    with centre.spawn("evcs-cp", "logs", "CP-1", "engine", "-f", "-n", "1") as following:
        assert following.stdout is not None
        told = [following.stdout.readline()]
        centre.ok("evcs-cp", "kill", "CP-1", "engine")
        eventually("CP-1 is back", lambda: centre.states()["CP-1"] == "ACTIVATED", 20)
        told.append(following.stdout.readline())
        following.terminate()
    whole = h2.ok("evcs", "logs", "CP-1.engine").out
    assert "".join(told) in whole, "each line once, in its order"
    after = h2.steady()
    assert before["CP-2:engine"] != after["CP-2:engine"]
    assert before["CP-1:engine"] != after["CP-1:engine"]
    assert before["CP-1:monitor"] == after["CP-1:monitor"]
    assert "pid" in centre.ok("evcs-cp", "show", "CP-1").out
    for cp in ("CP-1", "P-1"):
        said = centre.ok("evcs-cp", "logs", cp, "engine", "-n", "2").out.splitlines()
        there = h2.ok("evcs", "logs", f"{cp}.engine", "-n", "2").out.splitlines()
        assert (said, len(said)) == (there, 2)
    assert centre.ok("evcs-cp", "logs", "CP-1", "--since", "1d").out.count("engine") > 2
    assert centre.run("evcs", "status", "--check").code == 0


def test_a_charge_ends_before_its_cp_moves_or_is_waited_for(centre: Machine, h2: Machine) -> None:
    def begin(cp: str) -> str:
        done = centre.ok("evcs-driver", "charge", cp, "--driver", "ALICE", "--kwh", "1",
                         "--no-watch", "--json")  # fmt: skip
        centre.wait_for_state(cp, "SUPPLYING")
        return str(done.json["session_id"])

    def ticket(session_id: str) -> dict[str, Any]:
        rows = centre.ok("evcs", "sessions", "--json").json
        return next(one for one in rows if one["session_id"] == session_id)

    session = begin("CP-1")
    centre.ok("evcs", "host", "drain", "h2", "--to", "main")
    assert {cp["host"] for cp in centre.cps() if not cp["moving"]} == {"main"}
    assert (ticket(session)["state"], ticket(session)["reason"]) == ("settled", "moved")
    assert 0 <= ticket(session)["energy_wh"] < 1000
    assert centre.run("evcs-cp", "edit", "CP-1", "--price-eur-kwh", "1", "--when-free").code == 2
    session = begin("P-1")
    centre.ok("evcs-cp", "edit", "CP-1", "CP-2", "P-1", "P-2", "--host", "h2", "--when-free")
    assert (ticket(session)["energy_wh"], ticket(session)["reason"]) == (1000, "completed")
    assert {cp["host"] for cp in centre.cps() if not cp["moving"]} == {"h2"}


def test_new_secrets_come_to_the_host_by_themselves(centre: Machine, h2: Machine) -> None:
    path = h2.home / "data" / "secrets" / "cp" / "CP-1" / "engine"
    before = path.read_text()
    centre.ok("evcs-cp", "rekey", "CP-1")
    eventually("the host has fetched it", lambda: path.read_text() != before)
    assert path.read_text() == centre.secret("cp/CP-1/engine")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_host_is_listed_and_examined(centre: Machine, h2: Machine) -> None:
    assert host(centre, "h2")["online"]
    assert host(centre, "h2")["cps"] == 4
    assert host(centre, "h2")["version"] == host(centre, "main")["version"]
    one = eventually("it has said", lambda: (one := host(centre, "h2"))["address"] and one)
    assert (one["address"], one["since"][:4]) == ("10.77.0.2", str(datetime.now(UTC).year))
    assert abs(one["clock_off_s"]) <= 1.0
    shown = centre.ok("evcs", "host", "show", "h2").out
    for line in ("address: 10.77.0.2", "online: yes", "its CPs: CP-1, CP-2, P-1, P-2"):
        assert line in shown
    found = checks(h2.ok("evcs", "doctor", "--json"))
    for check in ("versions", "link", "centre's clock", "certificates", "disk", "services"):
        assert found[check]["level"] == "ok", found[check]
    assert "4 CPs" in found["link"]["text"]
    assert found["open files"]["text"].endswith("; there are 2"), "two are in a pool"
    assert centre.ok("evcs", "doctor").code == 0


def test_what_is_wrong_on_a_host_is_named_with_its_remedy(
    machines: Network, centre: Machine, h2: Machine
) -> None:
    """Its line and version: tests/hosts/test_faults.py, tests/install/test_joined.py."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    done = h2.run("evcs", "doctor", "--json", LD_PRELOAD=str(library), FAKETIME="+20y")
    found = checks(done)
    assert found["certificates"]["level"] == "fail"
    assert "the centre's CA ended on" in found["certificates"]["text"]
    assert "at the centre, evcs host add" in found["certificates"]["remedy"]
    assert (found["centre's clock"]["level"], found["link"]["level"]) == ("ok", "fail")
    assert "certificate has expired" in found["link"]["text"]

    full = machines.another_home(h2, "full")
    full.home.mkdir()
    script = (
        'mount -t tmpfs -o size=1m evcs "$1" && mkdir -p "$1/data" && cp -r "$0/conf" "$1" && '
        'cp -r "$0/data/tls" "$0/data/secrets" "$1/data" && exec "$2" doctor --json'
    )
    filled = subprocess.run(
        ["ip", "netns", "exec", h2.namespace, "unshare", "-m", "sh", "-c", script, str(h2.home),
         str(full.home), str(full.commands / "evcs")],
        env=full.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = checks(Done(filled.returncode, filled.stdout, filled.stderr))
    assert (found["disk"]["level"], found["link"]["level"]) == ("fail", "ok")
    assert found["disk"]["remedy"].startswith("make room")


def checks(done: Done) -> dict[str, Any]:
    return {one["check"]: one for one in done.json["checks"]}


def test_it_is_started_and_stopped_there(centre: Machine, h2: Machine) -> None:
    h2.ok("evcs", "down")
    assert h2.stray_pids() == []
    eventually("the centre sees it", lambda: not host(centre, "h2")["online"], 20)
    before = listeners(centre).read_text()
    listeners(centre).write_text(
        re.sub(r"(listener 8883 .*\nmax_connections) \d+", r"\1 6", before)
    )
    few = "the broker takes connections for 3 of their 4 CPs"
    assert said_of_hosts(centre) == ("warn", f"away: h2; {few}")
    listeners(centre).write_text(before)
    done = centre.run("evcs-cp", "logs", "CP-1")
    assert (done.code, "CP Manager of host h2 is not there" in done.err) == (6, True)
    h2.ok("evcs", "up", "--wait")
    eventually("all are back", lambda: {*centre.states().values()} == {"ACTIVATED"}, 30)
    h2.ok("evcs", "restart")
    eventually("all are back", lambda: {*centre.states().values()} == {"ACTIVATED"}, 30)


def test_who_joins_after_the_start_has_connections_at_the_broker(centre: Machine) -> None:
    found = re.search(r"listener 8883 .*\nmax_connections (\d+)", listeners(centre).read_text())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here = capacity.carried_by(prepare.MIN_FDS)
    assert found
    assert int(found[1]) >= broker_listeners.of_hosts(hard, here, 1, 0)


def listeners(centre: Machine) -> Path:
    return centre.home / "run" / "mosquitto.d" / "listeners.conf"


def test_who_may_not_join_does_not_and_it_is_audited(
    machines: Network, centre: Machine, h2: Machine
) -> None:
    h3 = machines.machine(3)
    path = invited(centre, "h3")
    good = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    left = datetime.fromisoformat(good["until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1), "unless --ttl says otherwise"
    refusals = len(audited(centre, "login"))
    edited = centre.home.parent / "edited.join"
    for change, code in (
        ({"secret": "x" * 43}, 9),
        ({"ca": certificate_of_another(centre.home.parent)}, 6),
        ({"host": "main"}, 2),
        ({"evcs_join": 2}, 2),
        ({"centre": "nowhere"}, 2),
    ):
        edited.write_text(json.dumps({**good, **change}))
        done = h3.run("evcs", "join", str(edited))
        assert done.code == code, (change, done)
        assert not (h3.home / "conf" / "evcs.toml").exists()
        assert not list(h3.home.glob("data/tls/*")), "it trusts nobody by that"
    assert eventually("it is audited", lambda: len(audited(centre, "login")) > refusals, 10)
    h3.ok("evcs", "join", str(path), "--no-start")
    h3.ok("evcs", "up")
    again = machines.another_home(h3, "again")
    done = again.run("evcs", "join", str(path))
    assert (done.code, "used" in done.err) == (9, True), "it is good once"
    assert h3.run("evcs", "join", str(path)).code == 5, "it runs"
    assert centre.run("evcs", "join", str(path)).code == 5, "a centre is no host"
    short = invited(centre, "h4", "--ttl", "1")
    until = datetime.fromisoformat(json.loads(short.read_text())["until"])
    eventually("it is over", lambda: datetime.now(UTC) > until, 10)
    assert again.run("evcs", "join", str(short)).code == 9
    assert len(audited(centre, "host join")) == 2
    h3.ok("evcs", "down")
    assert "evcs/v1/central/host/h3/state" in centre.retained()
    for name in ("h3", "h4"):
        centre.ok("evcs", "host", "remove", name)

    def kept() -> list[str]:
        return [one for one in centre.retained() if {"h3", "h4"} & {*one.split("/")}]

    eventually("nothing of them is kept", lambda: not kept())


def certificate_of_another(folder: Path) -> str:
    other = Home(folder / "other")
    certificates.make_authority(other)
    return other.ca.read_text()


def test_a_renewed_certificate_is_taken_without_joining_again(centre: Machine, h2: Machine) -> None:
    centre.ok("evcs", "tls", "init", "--renew")
    for machine in (centre, h2):
        machine.ok("evcs", "restart")
    eventually("all are back", lambda: {*centre.states().values()} == {"ACTIVATED"}, 30)


def test_a_machine_that_was_installed_anew_joins_again(centre: Machine, h2: Machine) -> None:
    before, of_cp = h2.secret("manager/h2"), h2.secret("cp/CP-1/engine")
    h2.kill_all()
    shutil.rmtree(h2.home)
    eventually("doctor says so", lambda: said_of_hosts(centre) == ("warn", "away: h2"), 30)
    h2.ok("evcs", "join", str(invited(centre, "h2")))
    assert h2.secret("manager/h2") != before
    assert centre.secret("cp/CP-1/engine") != of_cp, "the other disk may be found again"
    eventually("all are back", lambda: {*centre.states().values()} == {"ACTIVATED"}, 30)
    assert said_of_hosts(centre) == ("ok", "1, all online")


def said_of_hosts(centre: Machine) -> tuple[str, str]:
    found = checks(centre.run("evcs", "doctor", "--json"))["hosts"]
    return found["level"], found["text"]


def test_what_a_host_may_not_it_is_refused(centre: Machine, h2: Machine) -> None:
    secret, ca = h2.secret("manager/h2"), str(h2.home / "data" / "tls" / "ca.crt")

    def get(path: str, token: str, *more: str) -> tuple[int, str]:
        done = subprocess.run(
            ["ip", "netns", "exec", h2.namespace, "curl", "-s", "-w", "\n%{http_code}",
             "--cacert", ca, "-H", f"Authorization: Bearer {token}",
             *more, f"https://10.77.0.1:8082{path}"],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        body, _, code = done.stdout.rpartition("\n")
        return int(code), body

    centre.ok("evcs-cp", "create", "HOME-1")
    code, body = get(f"/api/v1/secrets?format={FORMAT}", secret)
    assert (code, "cp/CP-1/engine" in body, "HOME-1" in body) == (200, True, False)
    assert get("/api/v1/secrets", "x" * 43)[0] == 401
    for path in ("/api/v1/cps", "/api/v1/drivers", "/api/v1/hosts", "/api/v1/circuits"):
        assert get(path, secret)[0] == 401, path
    json_type = ("-H", "Content-Type: application/json", "-d", '{"name": "h9"}')
    assert get("/api/v1/hosts", secret, *json_type)[0] == 401

    def say(topic: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", h2.namespace, "mosquitto_pub", "-h", "10.77.0.1", "-p", "8883",
             "--cafile", ca, "-u", "manager/h2", "-P", secret, "-q", "1", "-r", "-V", "mqttv5",
             "-t", f"evcs/v1/{topic}", "-m", "{}"],
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip

    before = set(centre.retained())
    for topic in ("registry/cp/EVIL", "manager/main/cp/EVIL", "central/summary/EVIL",
                  "cp/HOME-1/engine/EVIL", "manager/h2/EVIL"):  # fmt: skip
        say(topic)
    assert "evcs/v1/manager/h2/cp/CP-1" in before, "its own word is there"
    say("manager/h2/cp/MINE")
    eventually(
        "what can't be read goes, wherever it may write",
        lambda: (
            not [one for one in set(centre.retained()) - before if "EVIL" in one or "MINE" in one]
        ),
    )
    centre.ok("evcs-cp", "delete", "HOME-1")


def test_nothing_went_wrong_unseen(centre: Machine, h2: Machine) -> None:
    assert (centre.tracebacks(), h2.tracebacks()) == ([], [])
