"""`evcs doctor`: each thing that it checks is broken, and it names it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import capacity, certificates
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.files import hold_lock
from evcs.adapters.journal_db import JournalDb
from evcs.adapters.registry_db import RegistryDb
from evcs.cli import bounds
from evcs.core import topics
from evcs.core.messages import EngineStatus
from evcs.home import Home
from tests.records import kept
from tests.system_under_test import ROOT, System, eventually

ALWAYS = {
    "versions", "root", "home", "ports", "open files", "processes", "memory", "disk", "clock",
    "store", "ledger", "section files", "secrets", "identities", "system", "services",
    "orphans and doubles", "journals", "certificates", "bus", "retained messages", "fleet",
    "broker's room", "sessions", "chargers' listener", "chargers", "hosts",
}  # fmt: skip


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE")
    system.steady()
    return system


@pytest.fixture(scope="module")
def started_once(new_system: Callable[..., System]) -> Path:
    system = new_system()
    system.up()
    system.ok("evcs", "down")
    return system.home


@pytest.fixture
def stopped(new_system: Callable[..., System], started_once: Path) -> System:
    """A home that was started once and is down."""
    system = new_system()
    shutil.copytree(started_once, system.home)
    return system


def look(system: System, *flags: str, **env: str) -> tuple[int, dict[str, Any]]:
    done = system.run("evcs", "doctor", "--json", *flags, timeout=60.0, **env)
    return done.code, {one["check"]: one for one in done.json["checks"]}


def failed(system: System, check: str, *words: str, **env: str) -> None:
    """Doctor fails at this check, says these words, and names a remedy."""
    code, found = look(system, **env)
    one = found[check]
    assert (code, one["level"]) == (1, "fail"), found
    assert all(word in one["text"] for word in words), one
    assert one["remedy"]


def wait_until_well(system: System) -> None:
    """Until every check but that for root is ok."""
    seen: list[Any] = []

    def probe() -> bool:
        code, found = look(system)
        assert set(found) == ALWAYS
        seen[:] = [x for name, x in found.items() if x["level"] != "ok" and name != "root"]
        return code == 0 and not seen

    try:
        eventually("all ok", probe, 20)
    except AssertionError:
        raise AssertionError(seen) from None


def test_a_sound_system_passes(fleet: System) -> None:
    wait_until_well(fleet)
    text = fleet.ok("evcs", "doctor").out
    assert len(text.splitlines()) == 1 + len(ALWAYS)
    assert "2 CPs as the Registry wants them" in text


def test_no_home_and_a_stopped_system(new_system: Callable[..., System], stopped: System) -> None:
    assert new_system().run("evcs", "doctor").code == 4
    code, found = look(stopped)
    assert code == 0
    assert (found["system"]["level"], found["system"]["remedy"]) == ("warn", "evcs up")
    assert found["ports"]["text"] == "free"


def test_an_old_broker(stopped: System, tmp_path: Path) -> None:
    old = tmp_path / "mosquitto"
    old.write_text("#!/bin/sh\necho mosquitto version 1.6.9\nexit 3\n")
    old.chmod(0o755)
    failed(stopped, "versions", "1.6.9", PATH=f"{tmp_path}:{os.environ['PATH']}")


def test_a_service_of_another_version(fleet: System) -> None:
    topic = "evcs/v1/web/status"
    kept = fleet.retained(topic)[topic]
    publish(fleet, "web", topic, '{"online": true, "boot": "00", "version": "0.0.1"}')
    found = look(fleet)[1]
    assert (found["versions"]["level"], found["versions"]["remedy"]) == ("warn", "evcs restart")
    assert "web" in found["versions"]["text"]
    publish(fleet, "web", topic, json.dumps(kept))


def publish(system: System, who: str, topic: str, payload: str) -> None:
    subprocess.run(
        ["mosquitto_pub", "-p", str(system.mqtt_port), "-u", who, "-P", system.secret(who),
         "-q", "1", "-r", "-t", topic, "-m", payload],
        check=True, timeout=10,
    )  # fmt: skip


def test_a_port_that_another_program_has(stopped: System) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stopped.web_port))
        other.listen()
        failed(stopped, "ports", str(stopped.web_port), f"pid {os.getpid()}")


def test_a_port_that_the_system_does_not_have(fleet: System) -> None:
    failed(fleet, "ports", "1", EVCS_WEB_PORT="1")


def test_limits_of_files_and_processes(stopped: System) -> None:
    for limit, check in (("--nofile=200", "open files"), ("--nproc=10", "processes")):
        done = subprocess.run(
            ["prlimit", limit, str(ROOT / "bin" / "evcs"), "doctor"], env=stopped.env,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        (line,) = (x for x in done.stdout.splitlines() if check in x)
        assert done.returncode == 1
        assert line.startswith("fail"), line


def test_files_of_the_running_supervisord(fleet: System) -> None:
    pid = int((fleet.home / "run" / "supervisord.pid").read_text())
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (260, before[1]))
    failed(fleet, "open files", "carries 0 CPs")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_cp_that_was_created_just_now_is_as_wanted(fleet: System) -> None:
    fleet.ok("evcs-cp", "create", "CP-009")
    try:
        found = {one["check"]: one for one in fleet.run("evcs", "doctor", "--json").json["checks"]}
        assert found["fleet"]["level"] == "ok", found["fleet"]
    finally:
        fleet.ok("evcs-cp", "delete", "CP-009", "--yes")


def test_bounds_of_memory_disk_clock_and_user() -> None:
    mib = 2**20
    assert bounds.memory(10_000 * mib, 1_800 * mib, False).level == "ok"
    assert bounds.memory(2_000 * mib, 1_800 * mib, False).level == "warn"
    assert bounds.memory(1_000 * mib, 1_800 * mib, False).level == "fail"
    assert bounds.disk(1000 * mib, None).level == "ok"
    row = {"session_id": "S", "cp": "CP-1", "driver": "ALICE"}
    status = EngineStatus("CP-1", True, "b", "supplying", True, "S")
    assert bounds.sessions([row], {"CP-1": status}).level == "ok"
    assert bounds.sessions([row], {}).level == "ok"
    assert bounds.sessions([row], {"CP-1": status._replace(online=False)}).level == "ok"
    assert bounds.sessions([row], {"CP-1": status._replace(session_id=None)}).level == "warn"
    assert bounds.room({"port 1": (79, 100), "open files": (1, 100)}).level == "ok"
    assert bounds.room({"port 1": (80, 100), "open files": (1, 100)}).level == "warn"
    assert bounds.room({"port 1": (0, 100), "open files": (100, 100)}).level == "fail"
    assert bounds.disk(100 * mib, 5000).level == "warn"
    assert bounds.disk(49 * mib, 5000).level == "fail"
    assert bounds.disk(1000 * mib, 3).level == "fail"
    assert bounds.clock(2e9, 2e9 + 1).level == "ok"
    assert bounds.clock(0.0, 0.0).level == "fail"
    assert [bounds.owner(*uids).level for uids in ((7, 7), (0, 0), (0, 7))] == [
        "ok",
        "warn",
        "fail",
    ]


def test_a_clock_behind_its_data(stopped: System) -> None:
    path = stopped.home / "data" / "registry.json"
    ahead = path.stat().st_mtime + 86_400
    os.utime(path, (ahead, ahead))
    failed(stopped, "clock", "behind the newest data")


def test_a_full_disk(short_tmp: Path) -> None:
    folder = short_tmp / "small"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=1m evcs "{folder}" && "{ROOT}/bin/evcs" doctor'
    env = {"PATH": os.environ["PATH"], "EVCS_HOME": str(folder)}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], env=env, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    (line,) = (x for x in done.stdout.splitlines() if "disk " in x)
    assert line.startswith("fail"), line


def test_store_and_ledger(stopped: System) -> None:
    data = stopped.home / "data"
    copy = data / "registry.copy.json"
    copy.write_bytes(copy.read_bytes()[:-20])
    assert look(stopped)[1]["store"]["level"] == "warn"
    (data / "registry.json").write_bytes(b"{}")
    failed(stopped, "store", "registry.json")
    ledger = data / "ledger.db"
    ledger.write_bytes(b"garbage " * 1000)
    for extra in data.glob("ledger.db-*"):
        extra.unlink()
    failed(stopped, "ledger", "damaged")


def test_foreign_and_quarantined_sections(stopped: System) -> None:
    folder = stopped.home / "conf" / "supervisord.d"
    (folder / "foreign.conf").write_text("[program:foreign]\ncommand=true\n")
    failed(stopped, "section files", "foreign.conf")
    code, found = look(stopped, "--fix")
    assert code == 0
    assert found["section files"]["level"] == "warn"
    assert "foreign.conf.broken" in found["section files"]["text"]
    (folder / "foreign.conf.broken").unlink()
    assert look(stopped)[1]["section files"]["level"] == "ok"


def test_open_and_empty_secrets(stopped: System) -> None:
    secret = stopped.home / "data" / "secrets" / "manager" / "main"
    secret.chmod(0o644)
    failed(stopped, "secrets", "secrets/manager/main")
    code, found = look(stopped, "--fix")
    assert (code, found["secrets"]["level"]) == (0, "ok")
    assert secret.stat().st_mode & 0o777 == 0o600
    token = stopped.home / "data" / "secrets" / "inspector"
    kept = token.read_bytes()
    token.write_bytes(b"")
    failed(stopped, "secrets", "empty", "inspector")
    token.write_bytes(kept)


def test_a_journal_of_nobody(stopped: System) -> None:
    (stopped.home / "data" / "journals" / "CP-404.jsonl").write_text("{}\n")
    code, found = look(stopped)
    assert (code, found["journals"]["level"]) == (0, "warn")
    assert "CP-404.jsonl" in found["journals"]["text"]


def test_a_pools_journals_of_nobody_damaged_and_set_aside(stopped: System) -> None:
    pool = Home(stopped.home).pool_journal("_pool-1")
    db = JournalDb(pool)
    db.put({"CP-405": "{}"}, sync=True)
    db.close()
    code, found = look(stopped)
    assert (code, found["journals"]["level"]) == (0, "warn")
    assert "CP-405 in _pool-1.db" in found["journals"]["text"]
    pool.write_bytes(b"x" * 5_000)
    failed(stopped, "journals", "_pool-1.db", "not a database")
    pool.rename(pool.with_name("_pool-1.db.broken"))
    code, found = look(stopped)
    assert (code, found["journals"]["level"]) == (0, "warn")


def test_more_cps_than_the_memory_carries(stopped: System) -> None:
    kib = int((Path("/proc/meminfo").read_text().split("MemTotal:")[1]).split()[0])
    count = kib * 1024 // capacity.CP_BYTES + 1
    db = RegistryDb(stopped.home / "data" / "registry.json")
    db.commit(1, [kept(f"CP-{n}") for n in range(count)])
    failed(stopped, "memory", "still needed")


def test_identities(stopped: System) -> None:
    assert look(stopped)[1]["identities"]["level"] == "ok"
    stray = stopped.home / "data" / "secrets" / "cp" / "CP-009"
    stray.mkdir(parents=True)
    (stray / "engine").write_text("x")
    failed(stopped, "identities", "no record: cp/CP-009/engine")
    (stopped.home / "data" / "secrets" / "web").unlink()
    failed(stopped, "identities", "without a secret: web")
    (stopped.home / "data" / "mosquitto.passwd").write_text("driver/EVE:x\n")
    failed(stopped, "identities", "without an account", "driver/EVE")


def test_a_supervisord_that_hangs(new_system: Callable[..., System]) -> None:
    system = new_system()
    system.up()
    pid = int((system.home / "run" / "supervisord.pid").read_text())
    (system.home / "run" / "supervisor.sock").unlink()
    failed(system, "system", str(pid))
    os.kill(pid, signal.SIGTERM)
    eventually("ended", lambda: not system.stray_pids())


def test_a_service_that_was_stopped(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "web")
    failed(fleet, "services", "web")
    assert look(fleet, "--fix")[1]["services"]["level"] == "ok"
    wait_until_well(fleet)


def test_orphans_and_doubles(fleet: System) -> None:
    double = subprocess.Popen(
        ["sh", "-c", "while :; do sleep 1; done", "-m", "evcs", "engine", "CP-001"], env=fleet.env
    )
    failed(fleet, "orphans and doubles", f"CP-001:engine (pid {double.pid})")
    lock = hold_lock(Home(fleet.home).lock("up"), "a test")
    look(fleet, "--fix")
    assert double.poll() is None, "it may be what an `up` beside is starting"
    os.close(lock)
    assert look(fleet, "--fix")[1]["orphans and doubles"]["level"] == "ok"
    assert double.wait(10) == -signal.SIGKILL


def test_a_central_that_does_not_answer(fleet: System) -> None:
    fleet.ok("supervisorctl", "stop", "central")
    failed(fleet, "bus", "Central does not answer")
    fleet.ok("supervisorctl", "start", "central")
    fleet.wait_for_state("CP-001", "ACTIVATED")


def test_retained_messages_are_all_read_while_others_speak(fleet: System) -> None:
    """More than the 1,000 that the broker has under way, so what is said then comes in between."""
    nobodys = [f"{topics.PREFIX}central/cp/NO-{number}/state" for number in range(1_100)]
    said = topics.Publication(f"{topics.PREFIX}central/operator/event", b"{}", 0, False)
    account = Account.of(Home(fleet.home), "central")
    bus, done = BusThread(account, lambda _: None, []), threading.Event()

    def keep(payload: bytes) -> None:
        for topic in nobodys:
            bus.publish(topics.Publication(topic, payload, 1, True))
        eventually("taken", lambda: bool(payload) == bool(fleet.retained(nobodys[-1])))

    def speak() -> None:
        while not done.wait(0.0005):
            bus.publish(said)

    speaker = threading.Thread(target=speak)
    bus.start()
    eventually("connected", lambda: bus.connected)
    keep(b'{"state": "ACTIVATED"}')
    speaker.start()
    try:
        told = look(fleet)[1]["retained messages"]["text"]
        assert f"and {len(nobodys) - bounds.SHOWN} more" in told
    finally:
        done.set()
        speaker.join()
        keep(b"")
        bus.stop()


def test_retained_messages_of_nobody(fleet: System) -> None:
    publish(fleet, "central", "evcs/v1/central/cp/CP-404/state", '{"state": "ACTIVATED"}')
    publish(fleet, "central", "evcs/v1/central/operator/event", '{"event": "x", "id": "1"}')
    publish(fleet, "registry", "evcs/v1/registry/driver/NOBODY", '{"id": "NOBODY"}')
    one = look(fleet)[1]["retained messages"]
    assert one["level"] == "warn"
    assert "central/cp/CP-404/state" in one["text"]
    assert "central/operator/event" in one["text"]
    assert "registry/driver/NOBODY" in one["text"]
    done = fleet.run("evcs", "doctor", "--json", "--fix", timeout=60.0)
    found = {one["check"]: one for one in done.json["checks"]}["retained messages"]
    assert found["level"] == "ok", (found, done)
    assert "evcs/v1/central/cp/CP-404/state" not in fleet.retained("evcs/v1/central/#")
    assert "evcs/v1/registry/driver/NOBODY" not in fleet.retained("evcs/v1/registry/#")


def test_a_cp_whose_name_is_a_word_of_the_topics_is_somebody(fleet: System) -> None:
    """Its desired state was taken away, and its charge ended as of a CP that is deleted."""
    words = ("cmd", "cp", "meter", "request")
    fleet.ok("evcs-cp", "create", *words)
    try:
        assert look(fleet)[1]["retained messages"]["level"] == "ok"
    finally:
        fleet.ok("evcs-cp", "delete", *words, "--yes")


def test_a_fleet_that_is_not_as_wanted(fleet: System) -> None:
    fleet.ok("evcs-cp", "fault", "CP-002", "--reason", "cable")
    failed(fleet, "fleet", "CP-002", "BROKEN_DOWN")
    fleet.ok("evcs-cp", "clear", "CP-002")
    wait_until_well(fleet)


TLS = '[http]\nlisten = "127.0.0.2"\n'


@pytest.fixture
def with_certificate(stopped: System) -> System:
    """A stopped system whose page is to be reached from elsewhere."""
    (stopped.home / "conf" / "evcs.toml").write_text(TLS)
    stopped.ok("evcs", "tls", "init")
    return stopped


def in_days(days: int) -> dict[str, str]:
    """The environment in which the clock is so far ahead."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return {"LD_PRELOAD": str(library), "FAKETIME": f"+{days}d"}


def test_a_certificate_that_is_missing(stopped: System) -> None:
    (stopped.home / "conf" / "evcs.toml").write_text(TLS)
    failed(stopped, "certificates", "none")


def test_a_certificate_that_ends_soon_and_is_renewed(with_certificate: System) -> None:
    system = with_certificate
    assert look(system)[1]["certificates"]["level"] == "ok"
    soon = in_days(380)
    assert look(system, **soon)[1]["certificates"]["level"] == "warn"
    failed(system, "certificates", "ended", **in_days(400))
    assert look(system, "--fix", **soon)[1]["certificates"]["level"] == "ok"
    assert look(system, **in_days(400))[1]["certificates"]["level"] == "ok"


def test_an_authority_that_ends_soon(with_certificate: System) -> None:
    failed(with_certificate, "certificates", "CA", **in_days(3651))


def test_a_certificate_of_another_authority(with_certificate: System, tmp_path: Path) -> None:
    certificates.make_authority(Home(tmp_path))
    Home(with_certificate.home).ca.write_bytes(Home(tmp_path).ca.read_bytes())
    failed(with_certificate, "certificates", "server.pem", "refuse")


def test_a_certificate_for_other_names(with_certificate: System) -> None:
    (with_certificate.home / "conf" / "evcs.toml").write_text(TLS + 'name = "evcs.example.org"\n')
    failed(with_certificate, "certificates", "evcs.example.org")
