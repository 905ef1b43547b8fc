"""An emulated station and a back end, without processes: of either version of OCPP."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from evcs.adapters.ocpp_schemas import OcppSchemas
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station import EmulatedStation
from evcs.core.ocpp.station_16 import Dialect16
from evcs.core.ocpp.station_201 import Dialect201
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Dialect, Identity
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_state import StationState, from_record, to_record

SCHEMAS = OcppSchemas()
BEGAN = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
WHO = Identity("evcs", "emulated", "CP-001", "0.1.0")
Answer = dict[str, Any]


class World:
    """A station, its disk and its back end, which does what a test wants of it."""

    dialect: Dialect = Dialect16(WHO)

    def __init__(self, held: StationState | None = None) -> None:
        self.clock = 0.0
        self.disk = json.dumps(to_record(held or StationState("k")))
        self.heard: list[tuple[str, str, Answer]] = []
        self.waiting: list[tuple[str, str, Answer]] = []
        self.answered: list[list[Any]] = []
        self.boot_status, self.interval = "Accepted", 300
        self.tags: dict[str, str] = {}
        self.info: Answer = {}
        self.transactions = self.births = 0
        self.born()

    def born(self, began: str = "PowerUp") -> None:
        """The station starts, with what its disk holds."""
        self.births += 1
        held, boot = from_record(json.loads(self.disk)), f"b{self.births}"
        self.station = EmulatedStation(held, self.dialect, SCHEMAS, boot, began)
        self.waiting.clear()

    @property
    def at(self) -> At:
        return At(self.clock, BEGAN + timedelta(seconds=self.clock))

    def flush(self) -> None:
        """What is held is kept, then what is said goes out."""
        self.disk = json.dumps(to_record(self.station.held))
        texts = list(self.station.out)
        self.station.out.clear()
        for text in texts:
            frame = json.loads(text)
            if frame[0] == 2:
                wrong = SCHEMAS.violation(self.dialect.version, frame[2], frame[3])
                assert wrong is None, (frame, wrong)
                self.heard.append((frame[1], frame[2], frame[3]))
                self.waiting.append(self.heard[-1])
                assert len(self.waiting) == 1, "one CALL at a time"
            else:
                self.answered.append(frame)

    def open(self) -> None:
        self.station.opened(self.at)
        self.flush()

    def online(self) -> Self:
        """It is there, and has said all that it says at first."""
        self.open()
        self.talk()
        self.heard.clear()
        return self

    def cut(self) -> None:
        self.waiting.clear()
        self.station.lost(self.at)
        self.flush()

    def pass_(self, seconds: float) -> None:
        self.clock += seconds
        self.station.tick(self.at)
        self.flush()

    def reply(self, payload: Answer | None = None, error: str = "") -> None:
        """Answer what waits: as a good back end does, if not told otherwise."""
        id_, action, asked = self.waiting.pop(0)
        frame = [3, id_, self.good(action, asked) if payload is None else payload]
        if error:
            frame = [4, id_, error, "", {}]
        self.station.said(json.dumps(frame), self.at)
        self.flush()

    def good(self, action: str, asked: Answer) -> Answer:
        now = "2026-11-30T07:00:00Z"
        if action == "BootNotification":
            return {"status": self.boot_status, "currentTime": now, "interval": self.interval}
        if action == "Heartbeat":
            return {"currentTime": now}
        if self.dialect.version is Version.V201:
            return self._good_201(action, asked)
        info = {"status": self.tags.get(asked.get("idTag", ""), "Accepted"), **self.info}
        if action == "Authorize":
            return {"idTagInfo": info}
        if action == "StartTransaction":
            self.transactions += 1
            return {"idTagInfo": info, "transactionId": self.transactions}
        return {}

    def _good_201(self, action: str, asked: Answer) -> Answer:
        token = asked.get("idToken")
        if action not in ("Authorize", "TransactionEvent") or token is None:
            return {}
        return {"idTokenInfo": {"status": self.tags.get(token["idToken"], "Accepted"), **self.info}}

    def talk(self) -> None:
        """Answer all, until nothing more is said."""
        while self.waiting:
            self.reply()

    def ask(self, action: str, **payload: Any) -> Any:
        """A CALL of the back end's; its answer."""
        self.station.said(json.dumps([2, f"c{len(self.answered)}", action, payload]), self.at)
        self.flush()
        found = self.answered[-1]
        if found[0] == 3:
            wrong = SCHEMAS.violation(self.dialect.version, action, found[2], answer=True)
            assert wrong is None, wrong
        return found[2] if found[0] == 3 else found[2:]

    def said(self, action: str) -> list[Answer]:
        return [payload for _, name, payload in self.heard if name == action]

    def actions(self) -> list[str]:
        return [name for _, name, _ in self.heard]

    def present(self, tag: str) -> None:
        self.station.present(tag, self.at)
        self.flush()

    def meter(self, wh: int) -> None:
        self.station.metered(Sample(self.station.held.register_wh + wh, 22_000, 230.0, 31.9))
        self.flush()


class World201(World):
    """Of OCPP 2.0.1."""

    dialect = Dialect201(WHO._replace(security_profile=2))
