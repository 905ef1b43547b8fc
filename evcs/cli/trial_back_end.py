"""A back end for a trial: it takes what chargers say, counts it, and has them charge.

OCPP 1.6J, on 127.0.0.1, a thread for each charger.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from evcs.adapters.ledger_reader import LedgerReader
from evcs.core.errors import TimedOut
from evcs.core.ocpp.rules import Version

#: A thread each.
MOST_CHARGERS = 1_000
LOOK_EVERY_S = 0.2
Payload = dict[str, Any]


class Heard(NamedTuple):
    """A message that matters, of whom: what is said again with its id is the same one."""

    station: str
    action: str
    payload: Payload


class ChargeBalance(NamedTuple):
    """What became of the charges: begun, ended, and those of which either is not once, or nothing
    flowed, or Wh differ."""

    begun: int
    ended: int
    wrong: int


class TrialBackEnd:
    """Used as a context. `url`: where chargers dial it."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], Heard] = {}
        self._answers: dict[tuple[str, str], Payload] = {}
        self._there: dict[str, ServerConnection] = {}
        self._metered: set[str] = set()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._server = serve(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol(Version.V16)], compression=None,
            ping_interval=None, close_timeout=1.0,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/{{id}}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def all_charge(self, names: Collection[str], within_s: float) -> None:
        """Each begins a charge, and has told what flows. Raises TimedOut."""
        self._wait("each charger is there", lambda: set(names) <= self._there.keys(), within_s)
        for name in names:
            # A reading each 5 s, so that some wait for nobody when the power is cut.
            interval = {"key": "MeterValueSampleInterval", "value": "5"}
            self._ask(name, "ChangeConfiguration", interval)
            self._ask(name, "RemoteStartTransaction", {"idTag": "TRIAL", "connectorId": 1})
        self._wait("each charges", lambda: set(names) <= self._metered, within_s)

    def all_end(self, names: Collection[str], within_s: float) -> None:
        """Each ends its charge. Raises TimedOut."""
        self._wait("each charger is back", lambda: set(names) <= self._there.keys(), within_s)
        for number, one in self._begun().items():
            self._ask(one.station, "RemoteStopTransaction", {"transactionId": number})
        ended = "each charge has ended"
        self._wait(ended, lambda: set(names) <= {one.station for one in self._ended()}, within_s)

    def books(self, ledger: LedgerReader, within_s: float) -> ChargeBalance:
        """What was begun and ended, beside the tickets."""
        begun, ended = self._begun(), self._ended()
        with suppress(TimedOut):
            self._wait("its tickets", lambda: len(_settled(ledger)) >= len(begun), within_s)
        tickets = _settled(ledger)
        wrong = abs(len(tickets) - len(begun))
        for number, start in begun.items():
            stops = [one.payload for one in ended if one.payload["transactionId"] == number]
            flowed = [one["meterStop"] - start.payload["meterStart"] for one in stops]
            of_cp = [one["energy_wh"] for one in tickets if one["cp"] == start.station]
            wrong += len(flowed) != 1 or flowed != of_cp or flowed == [0]
        return ChargeBalance(len(begun), len(ended), wrong)

    def _begun(self) -> dict[int, Heard]:
        with self._lock:
            return {
                self._answers[key]["transactionId"]: one
                for key, one in self._heard.items() if one.action == "StartTransaction"
            }  # fmt: skip

    def _ended(self) -> list[Heard]:
        with self._lock:
            return [one for one in self._heard.values() if one.action == "StopTransaction"]

    def _wait(self, what: str, done: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                raise TimedOut(f"not within {within_s:g} s: {what}", "this is a defect: report it")
            time.sleep(LOOK_EVERY_S)

    def _ask(self, station: str, action: str, payload: Payload) -> None:
        with suppress(ConnectionClosed):
            self._there[station].send(json.dumps([2, f"t{next(self._numbers)}", action, payload]))

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        station = connection.request.path.rpartition("/")[2]
        with suppress(ConnectionClosed):
            for text in connection:
                frame = json.loads(text)
                if frame[0] == 2:
                    answer = self._answer(station, *frame[1:])
                    connection.send(json.dumps([3, frame[1], answer]))
                if frame[0] == 2 and frame[2] == "BootNotification":
                    self._there[station] = connection
        if self._there.get(station) is connection:
            del self._there[station]

    def _answer(self, station: str, id_: str, action: str, payload: Payload) -> Payload:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": now, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": now}
        accepted: Payload = {"idTagInfo": {"status": "Accepted"}}
        if action == "MeterValues":
            self._metered.add(station)
        if action in ("StartTransaction", "StopTransaction"):
            with self._lock:
                self._heard.setdefault((station, id_), Heard(station, action, payload))
                if action == "StartTransaction":
                    number = {"transactionId": next(self._numbers)}
                    return self._answers.setdefault((station, id_), accepted | number)
        return accepted if action == "Authorize" else {}


def _settled(ledger: LedgerReader) -> list[dict[str, Any]]:
    return [one for one in ledger.sessions(limit=10**6) if one["state"] == "settled"]
