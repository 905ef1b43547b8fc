"""An emulated OCPP 1.6 station's firmware, files, security events and password."""

from __future__ import annotations

from typing import Any

import pytest

from evcs.core.ocpp.station_16 import Dialect16
from tests.unit.station_world import WHO, World

ACCEPTED = {"status": "Accepted"}
NOW = "2026-11-30T07:00:00Z"
KEY = "000102030405060708090a0b0c0d0e0fff"


class Secured(World):
    """One that dials with security profile 2."""

    dialect = Dialect16(WHO._replace(security_profile=2))


@pytest.fixture
def online() -> World:
    return World().online()


@pytest.fixture
def secured() -> World:
    return Secured().online()


def pass_(world: World, seconds: int) -> None:
    for _ in range(seconds):
        world.pass_(1)
        world.talk()


def states(world: World, action: str) -> list[str]:
    return [one["status"] for one in world.said(action)]


def events(world: World) -> list[str]:
    return [one["type"] for one in world.said("SecurityEventNotification")]


def test_diagnostics_are_told_by_their_states(online: World) -> None:
    found = online.ask("GetDiagnostics", location="ftp://127.0.0.1/x")
    assert found == {"fileName": "diagnostics.log"}
    online.talk()
    assert states(online, "DiagnosticsStatusNotification") == ["Uploading"]
    asked = online.ask("TriggerMessage", requestedMessage="DiagnosticsStatusNotification")
    assert asked == ACCEPTED
    pass_(online, 20)
    assert states(online, "DiagnosticsStatusNotification") == [
        "Uploading", "Uploading", "Uploaded",
    ]  # fmt: skip
    online.ask("TriggerMessage", requestedMessage="DiagnosticsStatusNotification")
    online.talk()
    assert states(online, "DiagnosticsStatusNotification")[-1] == "Idle"


def test_firmware_is_fetched_at_its_time_and_installed_once_no_car_charges(online: World) -> None:
    online.present("CARD")
    online.talk()
    asked = {"location": "http://127.0.0.1/x", "retrieveDate": "2026-11-30T07:01:00Z"}
    assert online.ask("UpdateFirmware", **asked) == {}
    pass_(online, 59)
    assert states(online, "FirmwareStatusNotification") == []
    pass_(online, 60)
    assert states(online, "FirmwareStatusNotification") == ["Downloading", "Downloaded"]
    online.cut()
    online.present("CARD")
    online.pass_(2)
    online.open()
    pass_(online, 30)
    assert states(online, "FirmwareStatusNotification")[2:] == ["Installing", "Installed"]
    assert events(online) == []


def test_a_log_is_told_with_its_request_and_another_takes_its_place(online: World) -> None:
    asked: dict[str, Any] = {"logType": "SecurityLog", "log": {"remoteLocation": "ftp://x"}}
    assert online.ask("GetLog", requestId=1, **asked) == {**ACCEPTED, "filename": "security.log"}
    online.talk()
    again = online.ask("GetLog", requestId=2, **asked)
    assert again["status"] == "AcceptedCanceled"
    pass_(online, 20)
    told = [(one["requestId"], one["status"]) for one in online.said("LogStatusNotification")]
    assert told == [(1, "Uploading"), (2, "Uploading"), (2, "Uploaded")]


def test_signed_firmware_goes_through_its_states(secured: World) -> None:
    def ask(certificate: str, **more: str) -> Any:
        firmware = {
            "location": "http://x", "retrieveDateTime": NOW, "signature": "s",
            "signingCertificate": certificate, **more,
        }  # fmt: skip
        return secured.ask("SignedUpdateFirmware", requestId=7, firmware=firmware)

    assert ask("none") == {"status": "InvalidCertificate"}
    install = "2026-11-30T07:01:00Z"
    assert ask("-----BEGIN CERTIFICATE-----", installDateTime=install) == ACCEPTED
    secured.talk()
    asked = secured.ask("ExtendedTriggerMessage", requestedMessage="FirmwareStatusNotification")
    assert asked == ACCEPTED
    pass_(secured, 120)
    told = secured.said("SignedFirmwareStatusNotification")
    assert {one["requestId"] for one in told} == {7}
    assert [one["status"] for one in told] == [
        "Downloading", "Downloading", "Downloaded", "SignatureVerified", "InstallScheduled",
        "Installing", "Installed",
    ]  # fmt: skip
    assert events(secured) == ["InvalidFirmwareSigningCertificate", "FirmwareUpdated"]


def test_what_it_does_not_have_it_does_not_trigger(online: World) -> None:
    asked = online.ask("ExtendedTriggerMessage", requestedMessage="SignChargePointCertificate")
    assert asked == {"status": "NotImplemented"}
    for action in ("InstallCertificate", "ReserveNow", "CertificateSigned", "DeleteCertificate"):
        online.station.said(f'[2,"n","{action}",{{}}]', online.at)
        online.flush()
        assert online.answered[-1][2] == "NotSupported", action


def test_security_events_wait_in_order_and_are_told_once(secured: World) -> None:
    secured.cut()
    secured.ask("Reset", type="Soft")
    secured.born()
    secured.heard.clear()
    secured.open()
    secured.talk()
    assert events(secured) == ["ResetOrReboot", "StartupOfTheDevice"]
    secured.cut()
    secured.open()
    secured.talk()
    assert len(events(secured)) == 2


def test_that_it_has_started_is_told_once_however_long_it_waits_to_be_accepted() -> None:
    world = Secured()
    world.boot_status, world.interval = "Pending", 10
    world.open()
    world.talk()
    pass_(world, 60)
    assert len(world.said("BootNotification")) == 7
    world.boot_status = "Accepted"
    pass_(world, 10)
    assert events(world) == ["StartupOfTheDevice"]


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_a_back_end_that_has_no_security_events_holds_nothing_up(secured: World, code: str) -> None:
    secured.ask("ChangeConfiguration", key="AuthorizationKey", value=KEY)
    secured.reply(error=code)
    secured.present("CARD")
    secured.talk()
    assert secured.actions()[-1] == "StartTransaction"
    assert secured.station.held.queue == ()


@pytest.mark.parametrize(
    ("value", "word", "password"),
    [
        (KEY, "Accepted", bytes.fromhex(KEY)), ("a password of words", "Accepted",
         b"a password of words"), ("00ff", "Rejected", None), ("x" * 41, "Rejected", None),
    ],
)  # fmt: skip
def test_its_password_is_changed_kept_and_never_read(
    secured: World, value: str, word: str, password: bytes | None
) -> None:
    asked = secured.ask("ChangeConfiguration", key="AuthorizationKey", value=value)
    assert asked == {"status": word}
    secured.talk()
    secured.born()
    assert secured.station.dialect.password(secured.station.held) == password
    secured.open()
    secured.talk()
    found = secured.ask("GetConfiguration", key=["AuthorizationKey", "SecurityProfile"])
    key, profile = found["configurationKey"]
    assert key == {"key": "AuthorizationKey", "readonly": False}
    assert profile["readonly"]
    changed = "ReconfigurationOfSecurityParameters" in events(secured)
    assert changed == (word == "Accepted")
