"""What an emulated OCPP 1.6 station says of itself, as payloads."""

from __future__ import annotations

from typing import Any, NamedTuple


class Identity(NamedTuple):
    """Who made it, and which one it is."""

    vendor: str
    model: str
    serial: str
    firmware: str

    def boot(self) -> dict[str, Any]:
        """BootNotification (6.5)."""
        return {
            "chargePointVendor": self.vendor[:20],
            "chargePointModel": self.model[:20],
            "chargePointSerialNumber": self.serial[:25],
            "firmwareVersion": self.firmware[:50],
        }


def status_of(connector: int, status: str, fault: str | None, at: str) -> dict[str, Any]:
    """StatusNotification (6.47). `at`: RFC 3339 UTC."""
    found = {
        "connectorId": connector, "errorCode": "NoError" if fault is None else "OtherError",
        "status": status, "timestamp": at,
    }  # fmt: skip
    return found if fault is None else {**found, "info": fault[:50]}
