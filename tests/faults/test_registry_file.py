"""A3, A3b, A16, A17, A18: the Registry's file broken; the last CP; many at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    return system


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


BREAK: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "flipped": _flip,
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", BREAK)
def test_registry_file_broken(fleet: System, how: str) -> None:
    cps, before = fleet.cps(), fleet.steady()
    BREAK[how](fleet.home / "data" / "registry.json")
    os.kill(before["registry"], signal.SIGKILL)
    eventually(
        "it is back", lambda: fleet.processes().get("registry", 0) not in (0, before["registry"])
    )
    wait_until_consistent(fleet)
    assert fleet.cps() == cps
    now = fleet.steady()
    assert {k: v for k, v in now.items() if ":" in k} == {
        k: v for k, v in before.items() if ":" in k
    }
    assert "its copy, the last commit, is used" in (fleet.home / "log" / "registry.log").read_text()


def test_registry_and_its_copy_gone_shuts_nobody_out(fleet: System, short_tmp: Path) -> None:
    data, before = fleet.home / "data", fleet.steady()
    aside = {name: (data / name).read_bytes() for name in ("registry.json", "registry.copy.json")}
    for name in aside:
        (data / name).unlink()
    os.kill(before["registry"], signal.SIGKILL)
    log = fleet.home / "log" / "registry.log"
    eventually("it refuses", lambda: "are gone, but CPs or drivers have secrets" in log.read_text())
    now = fleet.processes()
    assert {k: v for k, v in now.items() if ":" in k} == {
        k: v for k, v in before.items() if ":" in k
    }
    assert len(list((data / "secrets" / "cp").iterdir())) == 3
    for name, content in aside.items():
        (data / name).write_bytes(content)
    wait_until_consistent(fleet, 60)


def test_fifty_clients_create_one_id(fleet: System) -> None:
    def create(_: int) -> int:
        url = f"{fleet.registry_url}/api/v1/cps"
        return fleet.http("POST", url, {"id": "SAME"}, fleet.token)[0]

    with ThreadPoolExecutor(50) as pool:
        codes = sorted(pool.map(create, range(50)))
    assert codes == [201] + [409] * 49
    assert "SAME" in wait_until_consistent(fleet)
    assert len(list((fleet.home / "data" / "secrets" / "cp" / "SAME").iterdir())) == 2


def test_create_and_delete_of_one_id_interleaved(fleet: System) -> None:
    url = f"{fleet.registry_url}/api/v1/cps"

    def one(number: int) -> int:
        if number % 2:
            return fleet.http("DELETE", f"{url}/FLIP", None, fleet.token)[0]
        return fleet.http("POST", url, {"id": "FLIP"}, fleet.token)[0]

    with ThreadPoolExecutor(10) as pool:
        codes = set(pool.map(one, range(500)))
    assert codes <= {201, 202, 404, 409}
    assert 201 in codes
    wait_until_consistent(fleet, 60)


def test_create_of_an_id_that_is_being_deleted(fleet: System) -> None:
    fleet.ok("evcs-cp", "create", "AGAIN")
    url = f"{fleet.registry_url}/api/v1/cps"
    os.kill(fleet.processes()["cp-manager"], signal.SIGSTOP)
    try:
        assert fleet.http("DELETE", f"{url}/AGAIN", None, fleet.token)[0] == 202
        status, body = fleet.http("POST", url, {"id": "AGAIN"}, fleet.token)
        assert (status, body["error"]["code"]) == (409, "deleting")
    finally:
        os.kill(fleet.processes()["cp-manager"], signal.SIGCONT)
    eventually("it is gone", lambda: fleet.http("GET", f"{url}/AGAIN")[0] == 404)
    fleet.ok("evcs-cp", "create", "AGAIN")


def test_many_creates_take_no_reload(fleet: System) -> None:
    before = fleet.steady()
    log = fleet.home / "log" / "cp-manager.log"
    reloads = log.read_text().count("all sections read by supervisord")
    assert reloads, "at its start"
    fleet.ok("evcs-cp", "create", "M-{01..40}", timeout=170)
    assert log.read_text().count("all sections read by supervisord") == reloads
    now = fleet.steady()
    assert {k: now.get(k) for k in before} == before
    fleet.ok("evcs-cp", "delete", "M-*", "--yes", timeout=170)


def test_the_last_cp_is_deleted(fleet: System) -> None:
    fleet.ok("evcs-cp", "delete", "*", "--yes")
    assert wait_until_consistent(fleet) == set()
    assert not [topic for topic in fleet.retained() if "/cp/" in topic]
