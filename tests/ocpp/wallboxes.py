"""A wallbox by what it does, in each version, whoever wrote the charger that speaks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol

from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case

from tests.ocpp.conftest import Site
from tests.ocpp.peers import Peer, now
from tests.ocpp.rpc_peer import RpcPeer
from tests.system_under_test import eventually

BEGIN_WH = 10_000


class Line(Protocol):
    """A connection, by payloads as the standard writes them."""

    def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """The answer."""

    def told(self, action: str) -> list[dict[str, Any]]:
        """What it was told of that kind."""


class PackageLine:
    """One of the package `ocpp`, which has names of its own."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """The answer."""
        answer = self._peer.call(action, **camel_to_snake_case(payload))
        found: dict[str, Any] = snake_to_camel_case(asdict(answer))
        return found

    def told(self, action: str) -> list[dict[str, Any]]:
        """What it was told of that kind."""
        return [snake_to_camel_case(fields) for fields in self._peer.told(action)]


class Limit(NamedTuple):
    """Of a charging profile; `for_s`: None of a default, which holds for ever."""

    power_w: float
    transaction: Any
    for_s: int | None


class Wallbox(ABC):
    """Its register goes on over all connections; its last charge is `transaction`."""

    line: Line

    def __init__(self) -> None:
        self.register_wh = BEGIN_WH
        self.transaction: Any = None

    @abstractmethod
    def boot(self) -> None:
        """It says who it is, and that it is free."""

    @abstractmethod
    def authorize(self, tag: str) -> str:
        """What becomes of a card."""

    @abstractmethod
    def begin(self, tag: str, ago_s: float = 0.0) -> str:
        """What becomes of the card with which a charge began."""

    @abstractmethod
    def meter(self, more_wh: int, power_w: int | None = 7_400) -> None:
        """It has charged so much more, and charges with so many W, which not all tell."""

    @abstractmethod
    def end(self, more_wh: int, ago_s: float = 0.0) -> None:
        """A charge ended, after so much more."""

    @abstractmethod
    def told_to_start(self) -> str:
        """The tag with which it is to begin, once it was told."""

    @abstractmethod
    def told_to_stop(self) -> Any:
        """The transaction that it is to end, once it was told."""

    @abstractmethod
    def limits(self) -> list[Limit]:
        """What it was told to take at most, the first first."""

    def _told(self, action: str) -> dict[str, Any]:
        found: dict[str, Any] = eventually(action, lambda: self.line.told(action))[-1]
        return found


class Wallbox16(Wallbox):
    """Of OCPP 1.6."""

    def boot(self) -> None:
        self.line.call("BootNotification", chargePointModel="M", chargePointVendor="V")
        self.line.call("StatusNotification", connectorId=1, errorCode="NoError", status="Available")

    def authorize(self, tag: str) -> str:
        return str(self.line.call("Authorize", idTag=tag)["idTagInfo"]["status"])

    def begin(self, tag: str, ago_s: float = 0.0) -> str:
        answer = self.line.call(
            "StartTransaction", connectorId=1, idTag=tag, meterStart=self.register_wh,
            timestamp=now(ago_s),
        )  # fmt: skip
        self.transaction = answer["transactionId"]
        return str(answer["idTagInfo"]["status"])

    def meter(self, more_wh: int, power_w: int | None = 7_400) -> None:
        self.register_wh += more_wh
        values = [{"value": str(self.register_wh / 1_000), "unit": "kWh"}]
        if power_w is not None:
            power = {"value": str(power_w), "unit": "W", "measurand": "Power.Active.Import"}
            values.append(power)
        self.line.call(
            "MeterValues", connectorId=1, transactionId=self.transaction,
            meterValue=[{"timestamp": now(), "sampledValue": values}],
        )  # fmt: skip

    def end(self, more_wh: int, ago_s: float = 0.0) -> None:
        self.register_wh += more_wh
        self.line.call(
            "StopTransaction", transactionId=self.transaction, meterStop=self.register_wh,
            timestamp=now(ago_s),
        )  # fmt: skip

    def told_to_start(self) -> str:
        return str(self._told("RemoteStartTransaction")["idTag"])

    def told_to_stop(self) -> Any:
        return self._told("RemoteStopTransaction")["transactionId"]

    def limits(self) -> list[Limit]:
        told = [one["csChargingProfiles"] for one in self.line.told("SetChargingProfile")]
        return [_limit(one, one["chargingSchedule"]) for one in told]


class Wallbox201(Wallbox):
    """Of OCPP 2.0.1: a charge begins with the cable, and then a card is shown."""

    def __init__(self) -> None:
        super().__init__()
        self._charges = self._seq = 0
        self._power_w: int | None = 7_400

    def boot(self) -> None:
        station = {"model": "M", "vendorName": "V"}
        self.line.call("BootNotification", reason="PowerUp", chargingStation=station)
        self.line.call(
            "StatusNotification", timestamp=now(), connectorStatus="Available", evseId=1,
            connectorId=1,
        )  # fmt: skip

    def authorize(self, tag: str) -> str:
        token = {"idToken": tag, "type": "ISO14443"}
        return str(self.line.call("Authorize", idToken=token)["idTokenInfo"]["status"])

    def begin(self, tag: str, ago_s: float = 0.0) -> str:
        self._charges += 1
        self.transaction = f"charge-{self._charges}"
        self._event("Started", "CablePluggedIn", ago_s)
        token = {"idToken": tag, "type": "ISO14443"}
        answer = self._event("Updated", "Authorized", ago_s, idToken=token)
        return str(answer["idTokenInfo"]["status"])

    def meter(self, more_wh: int, power_w: int | None = 7_400) -> None:
        self.register_wh += more_wh
        self._power_w = power_w
        self._event("Updated", "MeterValuePeriodic")

    def end(self, more_wh: int, ago_s: float = 0.0) -> None:
        self.register_wh += more_wh
        self._event("Ended", "EVDeparted", ago_s)

    def told_to_start(self) -> str:
        return str(self._told("RequestStartTransaction")["idToken"]["idToken"])

    def told_to_stop(self) -> Any:
        return self._told("RequestStopTransaction")["transactionId"]

    def limits(self) -> list[Limit]:
        told = [one["chargingProfile"] for one in self.line.told("SetChargingProfile")]
        return [_limit(one, one["chargingSchedule"][0]) for one in told]

    def _event(self, kind: str, trigger: str, ago_s: float = 0.0, **more: Any) -> dict[str, Any]:
        self._seq += 1
        at = now(ago_s)
        values: list[dict[str, Any]] = [{"value": self.register_wh}]
        if self._power_w is not None:
            values.append({"value": self._power_w, "measurand": "Power.Active.Import"})
        return self.line.call(
            "TransactionEvent", eventType=kind, triggerReason=trigger, seqNo=self._seq,
            timestamp=at, offline=ago_s > 0, evse={"id": 1, "connectorId": 1},
            transactionInfo={"transactionId": self.transaction},
            meterValue=[{"timestamp": at, "sampledValue": values}], **more,
        )  # fmt: skip


def _limit(profile: dict[str, Any], schedule: dict[str, Any]) -> Limit:
    (period,) = schedule["chargingSchedulePeriod"]
    is_default = profile["chargingProfilePurpose"] == "TxDefaultProfile"
    assert (profile.get("transactionId") is None) == is_default, profile
    assert (schedule["chargingRateUnit"], period["startPeriod"]) == ("W", 0)
    return Limit(period["limit"], profile.get("transactionId"), schedule.get("duration"))


@contextmanager
def dialled(site: Site, box: Wallbox, package: str) -> Iterator[None]:
    """It is connected, as a charger of that package."""
    is_16 = isinstance(box, Wallbox16)
    if package == "ocpp":
        with site.peer16() if is_16 else site.peer201() as peer:
            box.line = PackageLine(peer)
            yield
    else:
        url, user, password = site.dial()
        protocol = "ocpp1.6" if is_16 else "ocpp2.0.1"
        with RpcPeer(url.removesuffix(f"/{user}"), user, password, protocol) as box.line:
            yield
