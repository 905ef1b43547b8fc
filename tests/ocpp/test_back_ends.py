"""CPs that are chargers of a back end, in a real system: created, charged, cut off, deleted."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import pem
from tests.ocpp.back_ends import MATTERS, FailingBackEnd, whole_wh
from tests.system_under_test import ROOT, System, eventually


@pytest.fixture
def back_end() -> Iterator[FailingBackEnd]:
    with FailingBackEnd() as made:
        yield made


def create(system: System, back_end: FailingBackEnd, name: str, *more: str) -> None:
    """Create a CP that is a charger of it."""
    done = system.ok("evcs-cp", "create", name, "--backend", back_end.url, *more)
    assert done.out == f"{name} ACTIVATED\n"


def cp(system: System, name: str) -> dict[str, object]:
    """A CP as it is listed."""
    found: list[dict[str, object]] = system.ok("evcs-cp", "list", "--json").json
    return next(one for one in found if one["id"] == name)


def until(system: System, name: str, field: str, value: object) -> None:
    """Wait for a CP to be so."""
    eventually(f"{name} {field} {value}", lambda: cp(system, name)[field] == value, every_s=0.3)


@pytest.mark.parametrize("hosting", ["process", "pool"])
def test_a_whole_charge_over_a_power_cut(
    system: System, back_end: FailingBackEnd, hosting: str
) -> None:
    name = f"OUT-{hosting}"
    create(system, back_end, name, "--hosting", hosting, "--ocpp-id", "ST*1", "--token", "T1")
    until(system, name, "backend_state", "connected")
    assert back_end.said("BootNotification")[0]["chargePointSerialNumber"] == "ST*1"
    shown = system.ok("evcs-cp", "present", name, "CARD").out
    assert shown == f"{name}: accepted\n"
    until(system, name, "state", "SUPPLYING")
    refused = system.run("evcs-driver", "charge", name, "--driver", "ALICE")
    assert refused.code == 5, refused
    other = system.run("evcs-cp", "present", name, "OTHER")
    assert (other.code, "a charge is under way" in other.err) == (5, True)
    assert system.run("evcs-cp", "stop", name).code == 5
    system.kill_all()
    system.up()
    until(system, name, "state", "SUPPLYING")
    found = eventually(
        "something flows, and it is in again",
        lambda: (one := system.ok("evcs-cp", "backend", name, "--json").json)
        and one["register_wh"] > 0 and one["registration"] and one,
        every_s=0.3,
    )  # fmt: skip
    assert (found["backend_state"], found["registration"]) == ("connected", "Accepted")
    system.ok("evcs-cp", "present", name, "CARD")
    eventually("it is told", lambda: back_end.said("StopTransaction"))
    (session,) = eventually(
        "its ticket",
        lambda: [
            one
            for one in system.ok("evcs", "sessions", "--cp", name, "--json").json
            if one["state"] == "settled"
        ],
        every_s=0.3,
    )
    (start,), (stop,) = back_end.said("StartTransaction"), back_end.said("StopTransaction")
    assert stop["meterStop"] - start["meterStart"] == session["energy_wh"] > 0
    shown = system.ok("evcs", "sessions", "show", session["session_id"]).out
    assert "None" not in shown
    assert "EUR" not in shown
    assert (session["driver"], session["price_eur_kwh"], session["cost_eur"]) == (None, None, None)
    assert [action for action, _ in back_end.matter() if action != "MeterValues"] == [
        "StartTransaction", "StopTransaction",
    ]  # fmt: skip
    until(system, name, "state", "ACTIVATED")
    system.ok("evcs-cp", "delete", name)
    assert list((system.home / "conf" / "backends").iterdir()) == []
    assert not (system.home / "data" / "secrets" / "cp" / name).exists()
    assert system.tracebacks() == []


def test_what_is_asked_for_is_checked_and_its_password_goes_nowhere_else(
    system: System, back_end: FailingBackEnd, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret-of-the-station\n")
    create(system, back_end, "OUT-2", "--ocpp-password-file", str(secret))
    until(system, "OUT-2", "backend_state", "connected")
    kept = system.home / "data" / "secrets" / "cp" / "OUT-2" / "backend"
    assert kept.read_text() == "s3cret-of-the-station"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (system.home / "data" / "registry.json").read_text()
    assert "s3cret" not in system.ok("evcs-cp", "show", "OUT-2", "--json").out
    for wrong in (
        ["--backend", "http://x/y"], ["--backend", "ws://u:p@x/y"], ["--ocpp", "1.6"],
        ["--backend", back_end.url, "--ocpp", "2.1"],
        ["--backend", back_end.url, "--hosting", "ocpp"],
        ["--backend", back_end.url, "--token", "x" * 21],
        ["--backend", back_end.url, "--ocpp-password-file", str(tmp_path / "none")],
        ["--backend", back_end.url, "--ocpp-password-file", "/dev/zero"],
        ["--backend", "wss://x", "--backend-ca", "/dev/zero"],
        ["--backend", "wss://x", "--backend-certificate", "/dev/zero"],
    ):  # fmt: skip
        assert system.run("evcs-cp", "create", "OUT-3", *wrong).code == 2, wrong
    system.ok("evcs-cp", "create", "PLAIN")
    assert system.run("evcs-cp", "present", "PLAIN", "CARD").code == 5
    assert system.run("evcs-cp", "backend", "PLAIN").code == 5
    back_end.refuse = 401
    back_end.stop()
    until(system, "OUT-2", "backend_state", "away")
    back_end.start()
    until(system, "OUT-2", "backend_state", "refused")
    assert "401" in system.ok("evcs-cp", "backend", "OUT-2").out
    assert cp(system, "OUT-2")["state"] == "ACTIVATED"


class Files:
    """A CA, the certificates by it, and a back end's side of TLS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ca = pem.make("CA of the back end", 1)
        self.ca = self._put("ca.pem", pem.certificate(ca))
        self.other_ca = self._put("other.pem", pem.certificate(pem.make("another CA", 1)))
        self.mine = self._put("mine.pem", pem.make_client("ST*3", "k", 1, ca))
        self.others = self._put("others.pem", pem.make_client("X", "k", 1, pem.make("third", 1)))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self._put("server.pem", pem.make("b", 1, ca, ["localhost"])))
        self.server.load_verify_locations(self.ca)

    def _put(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def test_over_tls_with_a_password_or_a_certificate_of_its_own(
    system: System, tmp_path: Path
) -> None:
    """Security profiles 2 and 3; what is wrong with a certificate is said."""
    files, secret = Files(tmp_path), tmp_path / "password"
    secret.write_text("s3cret")
    with FailingBackEnd(files.server) as back_end:
        create(system, back_end, "TLS-2", "--backend-ca", str(files.ca),
               "--ocpp-password-file", str(secret))  # fmt: skip
        until(system, "TLS-2", "backend_state", "connected")
        assert back_end.asked_by == f"Basic {base64.b64encode(b'TLS-2:s3cret').decode()}"
        create(system, back_end, "TLS-BAD", "--backend-ca", str(files.other_ca))
        until(system, "TLS-BAD", "backend_state", "refused")
        assert "certificate is refused" in system.ok("evcs-cp", "backend", "TLS-BAD").out
    files.server.verify_mode = ssl.CERT_REQUIRED
    with FailingBackEnd(files.server, ocpp="2.0.1") as back_end:
        create(system, back_end, "TLS-3", "--hosting", "pool", "--ocpp-id", "ST*3",
               "--ocpp", "2.0.1", "--backend-ca", str(files.ca),
               "--backend-certificate", str(files.mine))  # fmt: skip
        until(system, "TLS-3", "backend_state", "connected")
        system.kill_all()
        system.up()
        until(system, "TLS-3", "backend_state", "connected")
        one = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "SecurityProfile"}}
        (found,) = back_end.ask("GetVariables", {"getVariableData": [one]})["getVariableResult"]
        assert found["attributeValue"] == "3"
        for name, more, why in (
            ("TLS-4", [], "wants a certificate"),
            ("TLS-5", ["--backend-certificate", str(files.others)], "does not know the CA"),
        ):
            create(system, back_end, name, "--backend-ca", str(files.ca), *more)
            until(system, name, "backend_state", "refused")
            assert why in system.ok("evcs-cp", "backend", name).out
        kept = system.home / "data" / "secrets" / "cp" / "TLS-3" / "backend.pem"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.read_bytes() == files.mine.read_bytes()
        wrong = system.run("evcs-cp", "create", "TLS-6", "--backend", back_end.url,
                           "--backend-certificate", str(files.ca))  # fmt: skip
        assert (wrong.code, "no key" in wrong.err) == (2, True), wrong
        system.ok("evcs-cp", "delete", "TLS-3")
        assert not kept.exists()
    assert system.tracebacks() == []


def test_what_waits_for_a_back_end_moves_with_its_cp(
    system: System, back_end: FailingBackEnd
) -> None:
    create(system, back_end, "MOVE-1")
    until(system, "MOVE-1", "backend_state", "connected")
    for _ in range(2):  # its card is known then
        system.ok("evcs-cp", "present", "MOVE-1", "CARD")
    eventually("it is told", lambda: back_end.said("StopTransaction"))
    back_end.stop()
    until(system, "MOVE-1", "backend_state", "away")
    for _ in range(2):
        system.ok("evcs-cp", "present", "MOVE-1", "CARD")
    waits = ["StartTransaction", "StopTransaction"]
    found = system.ok("evcs-cp", "backend", "MOVE-1", "--json").json["waiting"]
    assert [one["action"] for one in found if one["action"] != "MeterValues"] == waits
    system.ok("evcs-cp", "edit", "MOVE-1", "--hosting", "pool")
    back_end.start()
    eventually("all is told", lambda: len(back_end.said("StopTransaction")) == 2)
    matter = [action for action, _ in back_end.matter() if action != "MeterValues"]
    assert matter == waits * 2


def test_after_a_power_cut_all_are_back_with_their_charges(
    system: System, back_end: FailingBackEnd
) -> None:
    """And while their back end is away: what they have to tell comes once it is there."""
    names = [f"CUT-{number:02}" for number in range(1, 21)]
    system.ok(
        "evcs-cp", "create", "CUT-{01..20}", "--hosting", "pool", "--backend", back_end.url
    )  # fmt: skip

    def are(field: str, value: str) -> bool:
        found: list[dict[str, object]] = system.ok("evcs-cp", "list", "--json").json
        return sum(one[field] == value for one in found if one["id"] in names) == len(names)

    eventually("all are connected", lambda: are("backend_state", "connected"), every_s=0.3)
    for name in names:
        system.ok("evcs-cp", "present", name, "CARD")
    eventually("all charge", lambda: are("state", "SUPPLYING"), every_s=0.3)
    back_end.stop()
    system.kill_all()
    system.up()
    eventually("all charge again", lambda: are("state", "SUPPLYING"), every_s=0.3)
    for name in names[:10]:
        system.ok("evcs-cp", "unplug", name)
    back_end.start()
    eventually("ten are told", lambda: len(back_end.said("StopTransaction")) >= 10)
    for name in names[10:]:
        system.ok("evcs-cp", "unplug", name)
    eventually("all are told", lambda: len(back_end.said("StopTransaction")) >= 20)
    rows = eventually("all have tickets", lambda: _tickets(system, names), every_s=0.3)
    starts = {one["transactionId"] for one in back_end.said("StopTransaction")}
    assert len(starts) == len(back_end.said("StopTransaction")) == 20
    assert len([one for one in back_end.matter() if one[0] == "StartTransaction"]) == 20
    begun = sum(one["meterStart"] for action, one in back_end.matter() if action == MATTERS[0])
    ended = sum(one["meterStop"] for one in back_end.said("StopTransaction"))
    assert ended - begun == sum(one["energy_wh"] for one in rows)


@pytest.mark.parametrize("hosting", ["process", "pool"])
def test_all_are_back_with_what_they_charge_at_a_back_end(hosting: str) -> None:
    done = subprocess.run(
        [ROOT / "bin" / "evcs", "verify-restart", "--count", "5", "--hosting", hosting,
         "--backend", "--json"],
        capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["back"], found["doubles"]) == (5, 0)
    assert found["charges"] == {"begun": 5, "ended": 5, "wrong": 0}


@pytest.mark.parametrize(("hosting", "names"), [
    ("process", ["NEW-01", "NEW-02"]), ("pool", [f"NEW-{number}" for number in range(11, 21)]),
])  # fmt: skip
def test_charges_of_2_0_1_over_a_power_cut(system: System, hosting: str, names: list[str]) -> None:
    """While their back end is away: each is told as one, whole, with what happened offline."""
    with FailingBackEnd(ocpp="2.0.1") as back_end:
        system.ok(
            "evcs-cp", "create", *names, "--hosting", hosting, "--backend", back_end.url,
            "--ocpp", "2.0.1",
        )  # fmt: skip
        for name in names:
            until(system, name, "backend_state", "connected")
            system.ok("evcs-cp", "present", name, "04A1B2C3")
        for name in names:
            until(system, name, "state", "SUPPLYING")
        shown = system.ok("evcs-cp", "backend", names[0], "--json").json
        assert (shown["ocpp_status"], len(shown["transaction_id"])) == ("Occupied", 36)
        back_end.stop()
        system.kill_all()
        system.up()
        for name in names:
            until(system, name, "state", "SUPPLYING")
        half = len(names) // 2
        for name in names[:half]:
            system.ok("evcs-cp", "unplug", name)
        back_end.start()
        for name in names[half:]:
            until(system, name, "backend_state", "connected")
            system.ok("evcs-cp", "unplug", name)
        eventually("all are told", lambda: len(back_end.ended()) == len(names))
        rows = eventually("all have tickets", lambda: _tickets(system, names), every_s=0.3)
        flowed = [whole_wh(events) for events in back_end.events().values()]
        assert sorted(flowed) == sorted(one["energy_wh"] for one in rows)
        assert min(flowed) > 0
        assert sum("offline" in one for one in back_end.ended()) == half
        assert {one["transactionInfo"]["stoppedReason"] for one in back_end.ended()} == {
            "EVDisconnected"
        }
        assert system.tracebacks() == []


def _tickets(system: System, names: list[str]) -> list[dict[str, Any]]:
    """One for each of them, once they are there."""
    found: list[dict[str, Any]] = system.ok("evcs", "sessions", "--json").json
    rows = [one for one in found if one["cp"] in names and one["state"] == "settled"]
    return rows if len(rows) == len(names) else []


def test_a_fleet_file_says_that_it_has_no_password(
    system: System, back_end: FailingBackEnd, tmp_path: Path
) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(f'[[cp]]\nid = "FILE-1"\nbackend = "{back_end.url}"\n')
    applied = system.ok("evcs-cp", "apply", "-f", str(file))
    assert "1 of them dial a back end, without a password" in applied.err
    assert "Of back ends it has no passwords" in system.ok("evcs-cp", "export").out


def test_who_deletes_one_whose_back_end_is_away_is_told_what_goes_with_it(
    system: System, back_end: FailingBackEnd
) -> None:
    create(system, back_end, "GOES-1")
    until(system, "GOES-1", "backend_state", "connected")
    back_end.stop()
    until(system, "GOES-1", "backend_state", "away")
    assert "its back end is away" in system.ok("evcs-cp", "list", "GOES-1").out
    unknown = system.run("evcs-cp", "present", "GOES-1", "CARD")
    assert unknown.code == 5
    assert "its back end is away, and it does not know the card; see: evcs-cp" in unknown.err
    done = system.ok("evcs-cp", "delete", "GOES-1")
    assert "GOES-1: its back end is away; what that has not been told goes" in done.err


def test_a_car_that_is_unplugged_by_hand_is_waited_for(
    system: System, back_end: FailingBackEnd
) -> None:
    create(system, back_end, "CAR-1")
    until(system, "CAR-1", "backend_state", "connected")
    system.ok("evcs-cp", "unplug", "CAR-1")
    assert system.ok("evcs-cp", "present", "CAR-1", "CARD").out == "CAR-1: accepted\n"
    assert system.ok("evcs-cp", "backend", "CAR-1", "--json").json["ocpp_status"] == "Preparing"
    assert back_end.said("StartTransaction") == []
    system.ok("evcs-cp", "plug", "CAR-1")
    until(system, "CAR-1", "state", "SUPPLYING")
    assert back_end.said("StartTransaction")[0]["idTag"] == "CARD"
    system.ok("evcs-cp", "unplug", "CAR-1")
    eventually("it is told", lambda: back_end.said("StopTransaction"))
    assert back_end.said("StopTransaction")[0]["reason"] == "EVDisconnected"
