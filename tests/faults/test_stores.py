"""G3, G14: stores that a hand has changed, with their checksums right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import stores
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually


@pytest.fixture(scope="module")
def home(new_system: Callable[..., System]) -> System:
    """A system with two CPs that is down."""
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE")
    system.ok("evcs", "down")
    return system


def everything(top: Path) -> dict[str, tuple[int, bytes]]:
    """Each file and folder below, with its mode and content; without the lock that `up` takes."""
    found = (path for path in (top, *top.rglob("*")) if path.name not in ("up.lock", "lock", "run"))
    return {
        str(path.relative_to(top)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in found
    }


FORGED: dict[str, Callable[[stores.Tables], object]] = {
    "a way out": lambda t: stores.add_cp(t, "../../../../../../x"),
    "a driver with a line": lambda t: t["drivers"].update({"9": {"id": "EVE\ndriver/X:$7$1$a$b"}}),
    "a driver that is a filter": lambda t: t["drivers"].update({"9": {"id": "#"}}),
    "a missing field": lambda t: t["cps"]["1"].pop("host"),
    "an unknown field": lambda t: t["cps"]["1"].update({"more": 1}),
    "another type": lambda t: t["cps"]["1"].update({"max_power_w": "22"}),
    "an empty record": lambda t: t.update({"cps": {"1": {}}}),
}


@pytest.mark.parametrize("how", FORGED)
def test_a_store_that_is_not_valid_starts_nothing_and_writes_nothing(
    home: System, how: str
) -> None:
    good = stores.tables(home.home)
    stores.change(home.home, FORGED[how])
    before = everything(home.home)
    above = {path: path.stat().st_mode for path in home.home.parents}
    try:
        done = home.run("evcs", "up")
        assert done.code == 1, done
        assert "nor its copy is good: it is not valid" in done.err
        assert "evcs restore" in done.err
        assert "Traceback" not in done.err
        assert len(done.err.splitlines()) == 1
        assert everything(home.home) == before
        assert {path: path.stat().st_mode for path in home.home.parents} == above
        looked = home.run("evcs", "doctor", "--json")
        (store,) = (one for one in looked.json["checks"] if one["check"] == "store")
        assert (looked.code, store["level"]) == (1, "fail")
        assert "not valid" in store["text"]
    finally:
        stores.change(home.home, lambda t: t.update(good))


def test_the_copy_takes_the_place_of_a_file_that_is_not_valid(home: System) -> None:
    data = home.home / "data"
    bad = stores.tables(home.home)
    stores.add_cp(bad, "../x")
    (data / "registry.json").write_bytes(stores.forged(bad))
    home.up()
    assert (data / "registry.json").read_bytes() == (data / "registry.copy.json").read_bytes()
    assert wait_until_consistent(home) == {"CP-001", "CP-002"}
    home.ok("evcs", "down")


def _identities(system: System) -> dict[str, Any]:
    found = system.run("evcs", "doctor", "--json").json["checks"]
    return next(one for one in found if one["check"] == "identities")


def test_what_is_left_of_cps_on_hosts_that_do_not_exist_is_found_and_cleaned(home: System) -> None:
    def with_strays(content: stores.Tables) -> None:
        stores.add_cp(content, "GONE-1", host="h2", deleted=True)
        stores.add_cp(content, "GONE-2", host="h3", deleted=True)
        stores.add_cp(content, "FAR", host="h2")

    stores.change(home.home, with_strays)
    found = _identities(home)
    assert (found["level"], "FAR" in found["text"] or "GONE" in found["text"]) == ("fail", True)
    home.up()
    passwords = home.home / "data" / "mosquitto.passwd"
    eventually("tombstones are gone", lambda: b"GONE" not in passwords.read_bytes(), 20)
    found = _identities(home)
    assert (found["level"], "FAR" in found["text"]) == ("fail", True)
    assert "evcs-cp delete FAR" in found["remedy"]
    edit = home.http("PATCH", f"{home.registry_url}/api/v1/cps/CP-001", {"host": "h2"}, home.token)
    assert edit[0] == 400
    home.ok("evcs-cp", "delete", "FAR", "--yes")
    assert wait_until_consistent(home) == {"CP-001", "CP-002"}
    assert _identities(home)["level"] == "ok"
    assert b"FAR" not in passwords.read_bytes()
    assert not [topic for topic in home.retained() if "FAR" in topic or "GONE" in topic]
    home.ok("evcs", "down")
