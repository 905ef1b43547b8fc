"""B1, B2, B3: ids, texts and numbers that are not what they should be, by every way in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.system_under_test import System

BAD_IDS = (
    "../x",
    "a\nb",
    "%",
    "a%(ENV_HOME)s",
    "#",
    "+",
    "a/b",
    "]",
    "[x",
    ";",
    "a;b",
    '"',
    "'a'",
    "ä",
    "\u202ecp",
    "",
    " ",
    "a b",
    "-CP",
    "_CP",
    ".",
    "..",
    "A" * 33,
    "A" * 5000,
    "central",
    "MOSQUITTO",
    "CP-001\n",
    "*",
    "{1..2",
    "a\tb",
    "a,b",
    "a:b",
    "a=b",
    "$(id)",
    "`id`",
)
BAD_NUMBERS: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    -1,
    0,
    1e308,
    1.5,
    "1",
    True,
    None,
    [],
    {},
    10**30,
)
BAD_PRICES: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -1,
    0.3,
    1e308,
    True,
    None,
    "nan",
    "inf",
    "-1",
    "1e308",
    "",
    " 1",
    "1.23456",
    "1000",
    "0,30",
    "٣",
    "0x1",
    "1_0",
    [],
    {},
)
PLACES = (
    '"',
    "'",
    "a\nb",
    "%",
    "%(ENV_HOME)s",
    ";",
    " ; x",
    "<img src=x onerror=alert(1)>",
    "[program:x]\ncommand=touch /x",
    "\u202e",
    "ä日本",
    "\x01\x1b[31m",
    "",
)


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    return system


def _tree(home: Path) -> dict[str, bytes]:
    """All that is kept: settings, sections, identities, the Registry's file."""
    roots = [home / "conf", home / "data" / "secrets"]
    files = [p for root in roots for p in root.rglob("*") if p.is_file()]
    files += [
        home / "data" / name for name in ("registry.json", "registry.copy.json", "mosquitto.passwd")
    ]
    return {str(path): path.read_bytes() for path in files}


def _post(system: System, body: Any) -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    return system.http("POST", f"{system.registry_url}/api/v1/cps", raw, system.token)


def test_bad_ids_by_http(fleet: System) -> None:
    before = _tree(fleet.home)
    for bad in (*BAD_IDS, "a\0b", 7, None, True, ["a"], {"a": 1}):
        status, body = _post(fleet, {"id": bad})
        assert (status, body["error"]["code"]) == (400, "bad_value"), bad
        for base in (fleet.registry_url, fleet.web_url):
            url = f"{base}/api/v1/cps"
            status, _ = fleet.http("POST", url, {"id": bad}, fleet.token)
            assert status == 400, (base, bad)
        status, _ = fleet.http(
            "POST", f"{fleet.registry_url}/api/v1/drivers", {"id": bad}, fleet.token
        )
        assert status == 400 or bad in ("central", "MOSQUITTO"), bad
    items = _post(fleet, [{"id": bad} for bad in BAD_IDS])
    assert items[0] == 207
    assert {one["error"]["code"] for one in items[1]} == {"bad_value"}
    fleet.run("evcs", "driver", "remove", "central", "MOSQUITTO")
    assert _tree(fleet.home).keys() == before.keys()
    assert set(fleet.states()) == {"CP-001"}


def test_bad_ids_by_command(fleet: System) -> None:
    before = _tree(fleet.home)
    for bad in BAD_IDS:
        done = fleet.run("evcs-cp", "create", "--", bad)
        assert done.code == 2, (bad, done)
        assert "allowed" in done.err or "service" in done.err
        assert "Traceback" not in done.err
    for bad in ("../x", "a\nb", "", "ä"):
        assert fleet.run("evcs", "driver", "add", "--", bad).code == 2
        assert fleet.run("evcs-driver", "charge", "--driver", "ALICE", "--", bad).code == 2
        assert fleet.run("evcs-driver", "charge", "CP-001", "--driver", bad).code == 2
    assert fleet.run("evcs-cp", "create", "--help").code == 0
    assert _tree(fleet.home) == before


def test_bad_ids_in_a_file(fleet: System, short_tmp: Path) -> None:
    for number, bad in enumerate(("../x", "ä", "a;b", "CP-001 x", "CP-001 1 2", "CP-001 -1")):
        file = short_tmp / f"bad{number}.txt"
        file.write_text(f"CP-001 0.1\n{bad}\n")
        done = fleet.run("evcs-driver", "run", str(file), "--driver", "ALICE")
        assert done.code == 2, (bad, done)
        assert "line 2" in done.err
    assert fleet.ok("evcs", "sessions", "--json").json == []


def test_any_text_is_a_place_and_stays_text(fleet: System) -> None:
    section = (fleet.home / "conf" / "supervisord.d" / "CP-001.conf").read_bytes()
    pids = fleet.steady()
    for place in PLACES:
        fleet.ok("evcs-cp", "edit", "CP-001", "--location", place)
        assert fleet.cps()[0]["location"] == place
        assert fleet.http("GET", f"{fleet.web_url}/api/v1/cps")[1][0]["location"] == place
        listed = fleet.ok("evcs-cp", "list").out.splitlines()
        assert len(listed) == 2
        assert "\x1b[31m" not in listed[1]
    assert (fleet.home / "conf" / "supervisord.d" / "CP-001.conf").read_bytes() == section
    assert fleet.steady() == pids


def test_bad_numbers_and_prices(fleet: System) -> None:
    before = _tree(fleet.home)
    for field, values in (("max_power_w", BAD_NUMBERS), ("price_eur_kwh", BAD_PRICES)):
        for bad in values:
            status, body = _post(fleet, {"id": "CP-002", field: bad})
            assert status == 400, (field, bad, body)
            url = f"{fleet.registry_url}/api/v1/cps/CP-001"
            status, _ = fleet.http("PATCH", url, json.dumps({field: bad}).encode(), fleet.token)
            assert status == 400, (field, bad)
    for flag, bad in (
        *(("--price-eur-kwh", one) for one in BAD_PRICES if isinstance(one, str)),
        *(
            ("--max-power-kw", one)
            for one in ("nan", "inf", "-1", "0", "1e308", "", "x", "1.23456")
        ),
    ):
        done = fleet.run("evcs-cp", "create", "CP-002", f"{flag}={bad}")
        assert done.code == 2, (flag, bad, done)
        assert "allowed" in done.err
    for bad in ("nan", "inf", "-1", "0", "1e308", "", "x"):
        done = fleet.run("evcs-driver", "charge", "CP-001", "--driver", "ALICE", f"--kwh={bad}")
        assert done.code == 2, (bad, done)
    assert _tree(fleet.home) == before


def test_bodies_that_are_not_what_they_should_be(fleet: System) -> None:
    before = _tree(fleet.home)
    url = f"{fleet.registry_url}/api/v1/cps"
    for raw in (
        b"",
        b"{",
        b"[",
        b"nul",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"id":"X","id":1}',
        b'"X"',
        b"7",
    ):
        status, body = fleet.http("POST", url, raw, fleet.token)
        assert status == 400, (raw[:20], body)
    assert _post(fleet, {"id": "X", "revoked": True})[0] == 400
    assert _post(fleet, {"id": "X", "extra": 1})[0] == 400
    plain = {"Content-Type": "text/plain"}
    assert fleet.http("POST", url, b'{"id":"X"}', fleet.token, plain)[0] == 400
    assert fleet.http("POST", url, {"id": "X"})[0] == 401
    assert fleet.http("POST", url, {"id": "X"}, "wrong")[0] == 401
    assert fleet.http("GET", url, None, None, {"Host": "evil.example"})[0] == 400
    assert (
        fleet.http("POST", url, {"id": "X"}, fleet.token, {"Origin": "http://evil.example"})[0]
        == 403
    )
    assert fleet.http("POST", url, b" " * 1_100_000 + b"{}", fleet.token)[0] == 413
    assert fleet.http("GET", f"{url}/NOPE")[0] == 404
    assert fleet.http("PUT", url, {"id": "X"}, fleet.token)[0] == 405
    assert _tree(fleet.home) == before


STEERING = "\x1b[2J\r\nCP-002  ACTIVATED \x9b31m\u202e"


def _old_entries(fleet: System) -> None:
    """What an earlier version took: a ticket and an entry of the audit that steer a terminal."""
    at = "2026-11-22T09:00:00.000Z"
    with closing(sqlite3.connect(fleet.home / "data" / "ledger.db", timeout=20)) as db, db:
        db.execute(
            "INSERT INTO session VALUES ('S-OLD', 'CP-001', 'ALICE', '0.30', 1000, 22000, ?, "
            "'settled', 10, 1, 0, ?, ?, '0.00', 'r', 'driver', 1, NULL, NULL, 1, NULL, NULL, NULL)",
            (at, "=" + STEERING, at),
        )  # fmt: skip
        db.execute(
            "INSERT INTO audit VALUES (?, 'x', 'x', 'CP-001', 'ok', ?)", (at, STEERING)
        )  # fmt: skip


@pytest.mark.parametrize("as_json", [True, False])
def test_nothing_that_is_kept_reaches_a_terminal_raw(fleet: System, as_json: bool) -> None:
    if as_json:
        _old_entries(fleet)
        (fleet.home / "log" / "odd.log").write_text(f"{STEERING}\n", newline="")
    fleet.ok("evcs-cp", "edit", "CP-001", "--location", STEERING)
    for command in (
        "evcs sessions", "evcs audit", "evcs logs odd", "evcs-driver history --driver ALICE",
        "evcs-cp list", "evcs-cp show CP-001", "evcs-cp export", "evcs status",
        "evcs-driver list --driver ALICE",
    ):  # fmt: skip
        found = fleet.ok(*command.split(), *(["--json"] if as_json else [])).out
        assert found.replace("\n", "").isprintable(), (command, found)
        assert "CP-001" in found or "S-OLD" in found or "CP-002" in found
    row = fleet.ok("evcs", "sessions", "--csv").out.splitlines()[1]
    assert "'=" in row
    assert row.isprintable()
