"""A charger of other authors, the package `ocpp`, in both versions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ocpp import v16, v201
from ocpp.charge_point import ChargePoint
from ocpp.exceptions import NotSupportedError, SecurityError
from ocpp.routing import on

from evcs.core.ocpp.ports import CallError, Connection, NotSendable, Refused
from evcs.core.ocpp.rules import Code, Version
from tests.adapters.ocpp import AT, charger, on_a_loop, serving, until

V16, V201 = Version.V16, Version.V201


class Charger16(v16.ChargePoint):
    @on("Reset")
    def reset(self, type: str) -> Any:  # noqa: A002
        return v16.call_result.Reset("Accepted" if type == "Soft" else "Rejected")


class Charger201(v201.ChargePoint):
    @on("Reset")
    def reset(self, type: str, **_: Any) -> Any:  # noqa: A002
        return v201.call_result.Reset("Accepted" if type == "OnIdle" else "Rejected")


CHARGERS: dict[Version, type[ChargePoint]] = {V16: Charger16, V201: Charger201}
BOOTS = {
    V16: v16.call.BootNotification("Model", "Vendor"),
    V201: v201.call.BootNotification({"model": "Model", "vendor_name": "Vendor"}, "PowerUp"),
}
AUTHORIZES = {
    V16: v16.call.Authorize("TAG"),
    V201: v201.call.Authorize({"id_token": "TAG", "type": "Central"}),
}
RESETS = {V16: ("Soft", "Hard"), V201: ("OnIdle", "Immediate")}


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_a_charger_of_other_authors_boots_beats_and_is_reset(version: Version) -> None:
    async with serving() as (server, gateway):

        async def boot(_connection: Connection, _payload: dict[str, Any]) -> dict[str, Any]:
            return {"status": "Accepted", "currentTime": AT, "interval": 300}

        async def refuse(_connection: Connection, _payload: dict[str, Any]) -> dict[str, Any]:
            raise CallError(Code.SECURITY, "not yet")

        gateway.actions |= {"BootNotification": boot, "Authorize": refuse}
        async with charger(server, version) as socket:
            peer = CHARGERS[version]("S1", socket)
            reading = asyncio.create_task(peer.start())
            assert (await peer.call(BOOTS[version])).status == "Accepted"
            module = v16 if version is V16 else v201
            assert (await peer.call(module.call.Heartbeat())).current_time == AT
            await until(gateway.events)
            connection = gateway.connection()
            for kind, status in zip(RESETS[version], ("Accepted", "Rejected"), strict=True):
                assert await connection.call("Reset", {"type": kind}) == {"status": status}
            with pytest.raises(Refused) as refused:
                await connection.call("ClearCache", {})
            assert refused.value.code in ("NotSupported", "NotImplemented")
            with pytest.raises(NotSendable):
                await connection.call("Reset", {"type": "Later"})
            with pytest.raises(NotSupportedError):
                await peer.call(module.call.SignCertificate("x"), suppress=False)
            with pytest.raises(SecurityError):
                await peer.call(AUTHORIZES[version], suppress=False)
            reading.cancel()
