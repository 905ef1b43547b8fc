"""Chargers made of the `ocpp` package, which others wrote: both versions, over a real WebSocket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import ocpp.v16 as v16
import ocpp.v201 as v201
from ocpp.routing import on
from websockets.asyncio.client import ClientConnection, connect

WITHIN_S = 40.0
#: The word of a charger that loses its connection instead of an answer.
DROPPED = "-"


def now(ago_s: float = 0.0) -> str:
    """A charger's time."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


class Peer:
    """One connection of a charger, in a thread of its own; used as a context.

    `asked`: what it was told by the central system, as (action, fields). `says`: its answers'
    status, by action, where that is not Accepted.
    """

    protocol = ""

    def __init__(self, url: str, user: str, password: str, tls: SSLContext | None = None) -> None:
        self._url, self._user, self._password, self._tls = url, user, password, tls
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.says: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[Any] | None = None
        self.charger: Any = None
        self._helper = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.do(self._open())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.do(self._close())
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._helper.shutdown()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the charger's loop do something; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_S)

    def call(self, action: str, **fields: Any) -> Any:
        """The answer to a CALL, as the package gives it. Raises its OCPPError."""
        request = getattr(self.calls(), action)(**fields)
        return self.do(self.charger.call(request, suppress=False))

    def later(self, act: Callable[[], Any]) -> Future[Any]:
        """What comes of it, once it is done."""
        return self._helper.submit(act)

    def told(self, action: str) -> list[dict[str, Any]]:
        """The fields of what it was told of that kind."""
        return [fields for name, fields in self.asked if name == action]

    @property
    def closed(self) -> bool:
        """Whether the central system has ended the connection."""
        return self._reader is not None and self._reader.done()

    def calls(self) -> Any:
        """The package's requests of this version."""
        raise NotImplementedError

    def make(self, connection: ClientConnection) -> Any:
        """The package's charger."""
        raise NotImplementedError

    async def _open(self) -> None:
        # In the URL, as most chargers have it.
        before, _, rest = self._url.partition("://")
        account = f"{self._user}:{self._password}@" if self._password else ""
        self._connection = await connect(
            f"{before}://{account}{rest}", subprotocols=[self.protocol], ssl=self._tls,  # type: ignore[list-item]
        )  # fmt: skip
        self.charger = self.make(self._connection)
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            await self.charger.start()
        except Exception:  # noqa: BLE001
            return  # the connection is gone

    async def _close(self) -> None:
        assert self._connection is not None
        await self._connection.close()
        if self._reader is not None:
            await self._reader


class Peer16(Peer):
    """Of OCPP 1.6."""

    protocol = "ocpp1.6"

    def calls(self) -> Any:
        return v16.call

    def make(self, connection: ClientConnection) -> Any:
        peer = self

        class Charger(v16.ChargePoint):
            """Does as it is told."""

            @on("RemoteStartTransaction")
            def _start(self, **fields: Any) -> Any:
                return peer._answer("RemoteStartTransaction", fields, v16)

            @on("RemoteStopTransaction")
            def _stop(self, **fields: Any) -> Any:
                return peer._answer("RemoteStopTransaction", fields, v16)

            @on("ChangeAvailability")
            def _availability(self, **fields: Any) -> Any:
                return peer._answer("ChangeAvailability", fields, v16)

            @on("TriggerMessage")
            def _trigger(self, **fields: Any) -> Any:
                return peer._answer("TriggerMessage", fields, v16)

            @on("Reset")
            def _reset(self, **fields: Any) -> Any:
                return peer._answer("Reset", fields, v16)

            @on("ChangeConfiguration")
            def _change(self, **fields: Any) -> Any:
                return peer._answer("ChangeConfiguration", fields, v16)

            @on("SetChargingProfile")
            def _profile(self, **fields: Any) -> Any:
                return peer._answer("SetChargingProfile", fields, v16)

            @on("ClearChargingProfile")
            def _clear(self, **fields: Any) -> Any:
                return peer._answer("ClearChargingProfile", fields, v16)

            @on("GetConfiguration")
            def _configuration(self, **fields: Any) -> Any:
                peer.asked.append(("GetConfiguration", fields))
                known = [{"key": "ConnectionTimeOut", "readonly": False, "value": "5"}]
                return v16.call_result.GetConfiguration(configuration_key=known)

        return Charger(self._user, connection)

    def _answer(self, action: str, fields: dict[str, Any], version: Any) -> Any:
        self.asked.append((action, fields))
        if self.says.get(action) == DROPPED:
            assert self._connection is not None
            self._connection.transport.abort()
        return getattr(version.call_result, action)(status=self.says.get(action, "Accepted"))

    def boot(self) -> Any:
        """It says who it is."""
        return self.call(
            "BootNotification", charge_point_model="Wallbox", charge_point_vendor="Somebody",
            firmware_version="1.2.3", charge_point_serial_number="S-1",
        )  # fmt: skip

    def status(self, word: str, connector: int = 1, error: str = "NoError") -> None:
        """The state of a connector."""
        self.call("StatusNotification", connector_id=connector, error_code=error, status=word)

    def authorize(self, tag: str) -> str:
        """What becomes of a card."""
        return str(self.call("Authorize", id_tag=tag).id_tag_info["status"])

    def begin(self, tag: str, meter_wh: int, connector: int = 1, at: str = "") -> Any:
        """A charge begins."""
        return self.call(
            "StartTransaction", connector_id=connector, id_tag=tag, meter_start=meter_wh,
            timestamp=at or now(),
        )  # fmt: skip

    def meter(
        self, transaction: int, register_wh: int, power_w: int, connector: int = 1, at: str = ""
    ) -> None:  # fmt: skip
        """A reading."""
        values = [
            {"value": str(register_wh), "unit": "Wh"},
            {"value": str(power_w), "unit": "W", "measurand": "Power.Active.Import"},
        ]
        self.call(
            "MeterValues", connector_id=connector, transaction_id=transaction,
            meter_value=[{"timestamp": at or now(), "sampled_value": values}],
        )  # fmt: skip

    def end(self, transaction: int, meter_wh: int, reason: str = "Local", at: str = "") -> None:
        """A charge ends."""
        self.call(
            "StopTransaction", transaction_id=transaction, meter_stop=meter_wh, reason=reason,
            timestamp=at or now(),
        )  # fmt: skip


class Peer201(Peer):
    """Of OCPP 2.0.1."""

    protocol = "ocpp2.0.1"

    def __init__(self, url: str, user: str, password: str, tls: SSLContext | None = None) -> None:
        super().__init__(url, user, password, tls)
        self._seq = 0

    def calls(self) -> Any:
        return v201.call

    def make(self, connection: ClientConnection) -> Any:
        peer = self

        class Charger(v201.ChargePoint):
            """Does as it is told."""

            @on("RequestStartTransaction")
            def _start(self, **fields: Any) -> Any:
                return peer._answer("RequestStartTransaction", fields)

            @on("RequestStopTransaction")
            def _stop(self, **fields: Any) -> Any:
                return peer._answer("RequestStopTransaction", fields)

            @on("ChangeAvailability")
            def _availability(self, **fields: Any) -> Any:
                return peer._answer("ChangeAvailability", fields)

            @on("TriggerMessage")
            def _trigger(self, **fields: Any) -> Any:
                return peer._answer("TriggerMessage", fields)

            @on("SetVariables")
            def _set(self, **fields: Any) -> Any:
                peer.asked.append(("SetVariables", fields))
                word = peer.says.get("SetVariables", "Accepted")
                found = [
                    {"attribute_status": word, "component": one["component"],
                     "variable": one["variable"]}
                    for one in fields["set_variable_data"]
                ]  # fmt: skip
                return v201.call_result.SetVariables(set_variable_result=found)

            @on("SetChargingProfile")
            def _profile(self, **fields: Any) -> Any:
                return peer._answer("SetChargingProfile", fields)

            @on("ClearChargingProfile")
            def _clear(self, **fields: Any) -> Any:
                return peer._answer("ClearChargingProfile", fields)

            @on("GetVariables")
            def _variables(self, **fields: Any) -> Any:
                peer.asked.append(("GetVariables", fields))
                found = [
                    {"attribute_status": "Accepted", "attribute_value": "5",
                     "component": one["component"], "variable": one["variable"]}
                    for one in fields["get_variable_data"]
                ]  # fmt: skip
                return v201.call_result.GetVariables(get_variable_result=found)

        return Charger(self._user, connection)

    def _answer(self, action: str, fields: dict[str, Any]) -> Any:
        self.asked.append((action, fields))
        return getattr(v201.call_result, action)(status=self.says.get(action, "Accepted"))

    def boot(self) -> Any:
        """It says who it is."""
        station = {"model": "Wallbox", "vendor_name": "Somebody", "serial_number": "S-1"}
        return self.call("BootNotification", charging_station=station, reason="PowerUp")

    def status(self, word: str, evse: int = 1) -> None:
        """The state of an EVSE's connector."""
        self.call(
            "StatusNotification", timestamp=now(), connector_status=word, evse_id=evse,
            connector_id=1,
        )  # fmt: skip

    def authorize(self, tag: str) -> str:
        """What becomes of a card."""
        token = {"id_token": tag, "type": "ISO14443"}
        return str(self.call("Authorize", id_token=token).id_token_info["status"])

    def event(
        self, kind: str, key: str, trigger: str, register_wh: int | None = None, tag: str = "",
        power_w: int = 0, at: str = "", **info: Any,
    ) -> Any:  # fmt: skip
        """A TransactionEvent."""
        fields: dict[str, Any] = {}
        if tag:
            fields["id_token"] = {"id_token": tag, "type": "ISO14443"}
        if register_wh is not None:
            values = [
                {"value": register_wh, "measurand": "Energy.Active.Import.Register"},
                {"value": power_w, "measurand": "Power.Active.Import"},
            ]
            fields["meter_value"] = [{"timestamp": at or now(), "sampled_value": values}]
        offline = info.pop("offline", None)
        if offline is not None:
            fields["offline"] = offline
        self._seq += 1
        return self.call(
            "TransactionEvent", event_type=kind, timestamp=at or now(), trigger_reason=trigger,
            seq_no=self._seq, transaction_info={"transaction_id": key, **info},
            evse={"id": 1, "connector_id": 1}, **fields,
        )  # fmt: skip
