"""Issue line 1: an empty home starts empty, and says how to go on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system_under_test import System

SERVICES = {"mosquitto", "registry", "central", "cp-manager", "web"}


@pytest.fixture(scope="module")
def fresh(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    return system


def test_no_cp_anywhere(fresh: System) -> None:
    assert fresh.cps() == []
    assert fresh.http("GET", f"{fresh.registry_url}/api/v1/cps") == (200, [])
    assert fresh.http("GET", f"{fresh.web_url}/api/v1/cps") == (200, [])
    assert list((fresh.home / "conf" / "supervisord.d").glob("*.conf")) == []
    assert set(fresh.processes()) == SERVICES


def test_list_says_how_to_create_one(fresh: System) -> None:
    assert "evcs-cp create" in fresh.ok("evcs-cp", "list").err


def test_second_up_changes_nothing(fresh: System) -> None:
    before, files = fresh.processes(), _files(fresh.home)
    done = fresh.ok("evcs", "up", "--wait")
    assert "runs already" in done.err
    assert fresh.processes() == before
    assert _files(fresh.home) == files


def _files(home: Path) -> dict[str, bytes]:
    """Desired state, sections, identities and settings: what a start must not rewrite."""
    roots = ("conf", "data/secrets", "data/registry.json", "data/mosquitto.passwd")
    paths = [
        p
        for root in roots
        for p in ([home / root] if (home / root).is_file() else (home / root).rglob("*"))
    ]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def test_a_system_that_is_down_is_named(new_system: Callable[..., System]) -> None:
    system = new_system()
    for command in (
        ("evcs-cp", "create", "CP-001"),
        ("evcs-cp", "list"),
        ("evcs", "status"),
        ("evcs-cp", "delete", "CP-001"),
        ("evcs", "driver", "add", "ALICE"),
        ("evcs", "open"),
    ):
        done = system.run(*command)
        assert done.code == 6, (command, done)
        assert "evcs up" in done.err
        assert "Traceback" not in done.err
    assert not (system.home / "data").exists()


def test_modes_are_the_owners_and_logs_are_closed(new_system: Callable[..., System]) -> None:
    system = new_system()
    log = system.home / "log" / "web.log"
    log.parent.mkdir(parents=True)
    system.home.chmod(0o700)
    log.write_text("of an earlier version\n")
    log.chmod(0o666)
    up = ["sh", "-c", 'umask 000; exec "$0" up --wait', str(system.commands / "evcs")]
    subprocess.run(up, env=system.env, check=True, capture_output=True, timeout=120)
    system.ok("evcs-cp", "create", "CP-001")
    modes = {path: path.lstat().st_mode & 0o777 for path in system.home.rglob("*")}
    assert system.home.stat().st_mode & 0o777 == 0o700
    logs = {path.name: oct(mode) for path, mode in modes.items() if path.parent == log.parent}
    assert {"web.log", "supervisord.log", "mosquitto.log", "CP-001.engine.log"} <= logs.keys()
    assert {name: mode for name, mode in logs.items() if mode not in ("0o640", "0o600")} == {}
    open_ = [path for path, mode in modes.items() if mode & 0o002 and not path.is_symlink()]
    assert [path for path in open_ if not path.is_relative_to(system.home / "run")] == []
    system.down()
