"""Issue line 1: an empty home starts empty, and says how to go on."""

from __future__ import annotations

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
