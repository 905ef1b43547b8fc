"""Whole charges of a charger made of `ocpp-rpc`, which looks at each of our answers' schema."""

from __future__ import annotations

from tests.ocpp.conftest import CARD, Site
from tests.ocpp.peers import now
from tests.ocpp.rpc_peer import RpcPeer
from tests.system_under_test import eventually


def dial(site: Site, protocol: str) -> RpcPeer:
    url, user, password = site.dial()
    return RpcPeer(url.removesuffix(f"/{user}"), user, password, protocol)


def test_a_charge_with_ocpp_16(site: Site) -> None:
    with dial(site, "ocpp1.6") as charger:
        answer = charger.call("BootNotification", chargePointModel="M", chargePointVendor="V")
        assert answer["status"] == "Accepted"
        charger.call("StatusNotification", connectorId=1, errorCode="NoError", status="Available")
        site.until("ACTIVATED")
        assert charger.call("Authorize", idTag=CARD) == {"idTagInfo": {"status": "Accepted"}}
        begun = charger.call(
            "StartTransaction", connectorId=1, idTag=CARD, meterStart=50, timestamp=now()
        )
        number = begun["transactionId"]
        values = [{"timestamp": now(), "sampledValue": [{"value": "0.2", "unit": "kWh"}]}]
        charger.call("MeterValues", connectorId=1, transactionId=number, meterValue=values)
        site.until("SUPPLYING")
        site.system.ok("evcs-cp", "stop", site.cp)
        (stop,) = eventually("told", lambda: charger.told("RemoteStopTransaction"))
        assert stop == {"transactionId": number}
        charger.call(
            "StopTransaction", transactionId=number, meterStop=350, timestamp=now(),
            reason="Remote",
        )  # fmt: skip
        (ticket,) = site.tickets()
        assert (ticket["energy_wh"], ticket["reason"]) == (300, "out_of_order")


def test_a_charge_with_ocpp_201(site: Site) -> None:
    with dial(site, "ocpp2.0.1") as charger:
        station = {"model": "M", "vendorName": "V"}
        answer = charger.call("BootNotification", reason="PowerUp", chargingStation=station)
        assert answer["status"] == "Accepted"
        charger.call(
            "StatusNotification", timestamp=now(), connectorStatus="Available", evseId=1,
            connectorId=1,
        )  # fmt: skip
        site.until("ACTIVATED")
        token = {"idToken": CARD, "type": "ISO14443"}
        answer = charger.call("Authorize", idToken=token)
        assert answer == {"idTokenInfo": {"status": "Accepted"}}
        event = {"timestamp": now(), "evse": {"id": 1}, "transactionInfo": {"transactionId": "t"}}
        values = [{"timestamp": now(), "sampledValue": [{"value": 10}]}]
        answer = charger.call(
            "TransactionEvent", eventType="Started", triggerReason="Authorized", seqNo=0,
            idToken=token, meterValue=values, **event,
        )  # fmt: skip
        assert answer == {"idTokenInfo": {"status": "Accepted"}}
        values = [{"timestamp": now(), "sampledValue": [{"value": 400}]}]
        charger.call(
            "TransactionEvent", eventType="Updated", triggerReason="MeterValuePeriodic", seqNo=1,
            meterValue=values, **event,
        )  # fmt: skip
        site.until("SUPPLYING")
        charger.call(
            "TransactionEvent", eventType="Ended", triggerReason="EVDeparted", seqNo=2,
            meterValue=values, **event,
        )  # fmt: skip
        (ticket,) = site.tickets()
        assert ticket["energy_wh"] == 390
