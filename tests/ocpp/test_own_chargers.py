"""Our CPs as chargers of our own gateway: both sides of each version of OCPP know each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ocpp.conftest import CARD, Site, made
from tests.system_under_test import System, eventually

#: Of readings, in seconds.
INTERVAL = {"1.6": "MeterValueSampleInterval", "2.0.1": "SampledDataCtrlr.TxUpdatedInterval"}


@pytest.fixture(scope="module")
def system(new_system: Callable[..., System]) -> System:
    """In real time: the gateway knows what can't flow."""
    found = new_system(time_scale=1)
    found.up()
    return made(found)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_driver_charges_at_a_cp_that_is_a_cp_of_ours(
    site: Site, tmp_path: Path, version: str
) -> None:
    """From afar, by card over a power cut; the same Wh on both tickets; out of service; rekeyed."""
    system, out, secret = site.system, f"OUT-{site.cp}", tmp_path / "password"
    url, user, password = site.dial()
    secret.write_text(password)
    system.ok(
        "evcs-cp", "create", out, "--backend", url.removesuffix(f"/{user}"), "--ocpp", version,
        "--ocpp-id", user, "--ocpp-password-file", str(secret),
    )  # fmt: skip
    site.until("ACTIVATED")
    system.ok("evcs-cp", "configuration", site.cp, "set", INTERVAL[version], "1")
    site.charge("0.02")
    site.tickets(1)
    system.ok("evcs-cp", "present", out, CARD)
    site.until("SUPPLYING")
    system.kill_all()
    system.up()
    site.until("SUPPLYING")
    eventually("it is metered", lambda: _energy_wh(site) > 0)
    system.ok("evcs-cp", "present", out, CARD)
    rows = site.tickets(2)
    assert [row["driver"] for row in rows] == ["ALICE", "ALICE"]
    theirs = eventually("its own tickets", lambda: _settled(site, out))
    assert theirs == [row["energy_wh"] for row in rows]
    assert min(theirs) > 0
    system.ok("evcs-cp", "stop", site.cp)
    eventually("it is told", lambda: _status(site, out) == "Unavailable")
    assert system.run("evcs-cp", "present", out, CARD).code == 5
    system.ok("evcs-cp", "resume", site.cp)
    eventually("it is told", lambda: _status(site, out) == "Available")
    system.ok("evcs-cp", "rekey", site.cp)
    asked = ("evcs-cp", "trigger", site.cp, "Heartbeat")
    eventually("it dials with its new password", lambda: system.run(*asked).code == 0)
    assert system.tracebacks() == []


def _energy_wh(site: Site) -> int:
    session = site.system.ok("evcs-cp", "show", site.cp, "--json").json["session"]
    return int(session["energy_wh"]) if session else 0


def _settled(site: Site, cp: str) -> list[int]:
    rows = site.system.ok("evcs", "sessions", "--cp", cp, "--json").json
    found = [int(row["energy_wh"]) for row in rows if row["state"] == "settled"]
    return found if len(found) == 2 else []


def _status(site: Site, cp: str) -> str:
    found: str = site.system.ok("evcs-cp", "backend", cp, "--json").json["ocpp_status"]
    return found
