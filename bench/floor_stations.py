"""Bare chargers in one process: `floor_stations.py URL N`, on `websockets`' protocol without I/O.

They boot, begin a transaction where they are told to, and then tell a reading a second each, until
the process is killed.
"""

import json
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri


class Charger:
    """One connection."""

    def __init__(self, url: str, name: str) -> None:
        self._protocol = ClientProtocol(
            parse_uri(f"{url}/{name}"), subprotocols=[Subprotocol("ocpp1.6")]
        )
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port))
        self._name, self._number, self._wh = name, 0, 0
        self.transaction = 0
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def read(self) -> None:
        """What has come."""
        self._protocol.receive_data(self.socket.recv(16_384))
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._call("BootNotification", {"chargePointVendor": "x", "chargePointModel": "y"})
            elif isinstance(event, Frame):
                self._hear(*json.loads(bytes(event.data)))
        self._flush()

    def _hear(self, kind: int, number: str, *rest: object) -> None:
        if kind == 2:
            self._send([3, number, {"status": "Accepted"}])
            if rest[0] == "RemoteStartTransaction":
                start = {"connectorId": 1, "idTag": self._name, "meterStart": 0}
                self._call("StartTransaction", {**start, "timestamp": stamp()})
        elif isinstance(rest[0], dict):
            self.transaction = rest[0].get("transactionId", self.transaction)

    def meter(self) -> None:
        """A reading."""
        self._wh += 6
        values = [
            {"value": str(self._wh), "context": "Sample.Periodic", "unit": "Wh",
             "measurand": "Energy.Active.Import.Register"},
            {"value": "22000", "context": "Sample.Periodic", "unit": "W",
             "measurand": "Power.Active.Import"},
        ]  # fmt: skip
        meter = [{"timestamp": stamp(), "sampledValue": values}]
        self._call("MeterValues", {
            "connectorId": 1, "transactionId": self.transaction, "meterValue": meter,
        })  # fmt: skip
        self._flush()

    def _call(self, action: str, payload: dict[str, object]) -> None:
        self._number += 1
        self._send([2, str(self._number), action, payload])

    def _send(self, frame: list[object]) -> None:
        self._protocol.send_text(json.dumps(frame).encode())

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self.socket.sendall(data)


def stamp() -> str:
    """Now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def main(url: str, count: int) -> None:
    """Until it is killed."""
    selector = selectors.DefaultSelector()
    chargers = []
    for number in range(count):
        one = Charger(url, f"B-{number:04d}")
        selector.register(one.socket, selectors.EVENT_READ, one)
        chargers.append(one)
        for key, _ in selector.select(0):
            key.data.read()
    due = time.monotonic() + 1.0
    while True:
        for key, _ in selector.select(max(due - time.monotonic(), 0)):
            key.data.read()
        if time.monotonic() >= due:
            due += 1.0
            for one in chargers:
                if one.transaction:
                    one.meter()


main(sys.argv[1], int(sys.argv[2]))
