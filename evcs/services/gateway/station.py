"""A charging station that is connected: its connectors, and what all versions share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from evcs.core import messages as m
from evcs.core.errors import EvcsError
from evcs.core.ids import printed, short
from evcs.core.ocpp import times
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.ports import CallError, Connection, NoAnswer, NotSendable, Refused
from evcs.core.ocpp.rules import Code
from evcs.core.ports import Log
from evcs.core.session import CardStatus
from evcs.core.stations import MAX_CONNECTOR
from evcs.services.gateway.availability import Availability
from evcs.services.gateway.connector import Connector
from evcs.services.gateway.dialect import Answer, ChargerDialect
from evcs.services.gateway.tasks import Tasks
from evcs.services.gateway.whose import whose
from evcs.services.gateway.words import CARD_WORDS, text_of

HEARTBEAT_S = 300
#: A charger tells the state of its connectors by itself after a boot; else it is asked.
STATUS_WITHIN_S = 5.0
DEFAULT_CONNECTION_TIMEOUT_S = 60.0
#: What was told a little before the connection was made may be of now.
CLOCK_TOLERANCE_S = 10.0

F = TypeVar("F")
Found = tuple[Connector, t.Transaction | t.Over]


class StationParts(NamedTuple):
    """What a station works with.

    `connectors()`: its connectors that are CPs, by number. `absent()`: those whose CP's role is not
    there, and whether it is to come. `number()`: of a transaction of none.
    `tell`: publishes what is known of it. `now()`: UTC. `audit(what, outcome, detail)`.
    """

    connectors: Callable[[], Mapping[int, Connector]]
    absent: Callable[[], Mapping[int, bool]]
    number: Callable[[], int]
    tell: Callable[[m.StationStatus], object]
    now: Callable[[], datetime]
    audit: Callable[[str, str, str], object]
    host: str
    log: Log


class ConnectedStation(ChargerDialect):
    """One connection of it. A Charger for its connectors."""

    def __init__(self, connection: Connection, parts: StationParts) -> None:
        self.connection, self._parts = connection, parts
        self.opened_at = parts.now()
        self.connection_timeout_s = DEFAULT_CONNECTION_TIMEOUT_S
        self.rate_unit = "W"
        ends_at = connection.certificate_ends_at
        self.status = m.StationStatus(
            parts.host, connection.station, True, connection.version.value.removeprefix("ocpp"),
            security_profile=connection.security_profile,
            connected_at=times.written(self.opened_at), key=connection.key,
            certificate_ends_at=None if ends_at is None else times.written(ends_at),
        )  # fmt: skip
        self._offset = times.Offset()
        #: Which new key it was asked to take, one at a time, and its word.
        self.key_turn, self.key_asked = asyncio.Lock(), ("", "")
        #: Connector -> its own word, and its fault.
        self._told: dict[int, tuple[str, str | None]] = {}
        self.service = Availability(self.set_available, self._confirmed, parts.log)
        self._tasks = Tasks(parts.log)
        self._is_faulted = self._is_of_now = False

    def open(self) -> None:
        """The charger is there."""
        self._parts.tell(self.status)
        for connector in self._parts.connectors().values():
            connector.connected(self)
        self._tasks.do(self._greet())

    def close(self) -> None:
        """The charger has gone."""
        self._tasks.close()
        self.service.close()
        for connector in self._parts.connectors().values():
            connector.left(self)
        self._parts.tell(self.status._replace(online=False))

    def joined(self, number: int) -> None:
        """One of its connectors has become a CP, or its CP has begun anew."""
        connector = self._parts.connectors().get(number)
        if connector is not None:
            connector.connected(self, self.service.confirmed(number))
            if number in self._told:
                connector.told(*self._told[number])
            else:
                self._tasks.do(self._ask_status())

    async def called(self, action: str, payload: Answer) -> Answer:
        """The answer to a charger's CALL. Raises CallError."""
        self._look_at_clock(payload)
        if action in self.plain:
            self._parts.log.info("%s told", action)
            return dict(self.plain[action])
        try:
            return await self.meanings[action](self, payload)
        except EvcsError as error:
            raise CallError(Code.INTERNAL, f"{error}; try again later") from None
        except OSError as error:  # of which the path is none of a charger's business
            raise CallError(Code.INTERNAL, f"{error.strerror}; try again later") from None

    async def call(self, action: str, payload: Answer) -> Answer:
        """The charger's answer. Raises Refused, NoAnswer, NotSendable."""
        return await self.connection.call(action, payload)

    async def word(self, action: str, payload: Answer) -> str:
        """The status in the charger's answer."""
        return str((await self.call(action, payload))["status"])

    def booted(self, info: Mapping[str, Any], serial: object) -> Answer:
        """It says who it is."""
        self.status = self.status._replace(
            vendor=text_of(info.get("chargePointVendor", info.get("vendorName"))),
            model=text_of(info.get("chargePointModel", info.get("model"))),
            firmware=text_of(info.get("firmwareVersion")),
            serial=text_of(serial),
        )
        self._parts.tell(self.status)
        return {**self.clock(), "interval": HEARTBEAT_S, "status": "Accepted"}

    def clock(self) -> Answer:
        """The time, for its clock."""
        self._offset.set()
        return {"currentTime": times.written(self._parts.now())}

    def told(self, number: int, status: str, fault: str | None) -> None:
        """The state of a connector, by its own word; a fault of 0 is all connectors'."""
        connectors = self._parts.connectors()
        for one in connectors if number == 0 and fault is not None else (number,):
            if 0 < one <= MAX_CONNECTOR:  # it may become a CP
                self._told[one] = status, fault
            if one in connectors:
                connectors[one].told(status, fault)
        if number == 0:
            was, self._is_faulted = self._is_faulted, fault is not None
            if was and not self._is_faulted:
                self._told.clear()
                self._tasks.do(self._ask_status())

    async def authorise(self, tag: str) -> str:
        """What becomes of a card that is held to it."""
        tag = printed(tag)
        connectors = await self.whose(lambda: self._parts.connectors() or None)
        if connectors is None:
            return CARD_WORDS[CardStatus.INVALID]
        # Cards end charges, too; and Central's own session stands for one.
        mine = (
            one
            for one in connectors.values()
            if any(tag in (x.session_id, x.tag) for x in one.open)
        )
        free = (one for one in connectors.values() if not one.open)
        connector = next(mine, None) or next(free, None) or next(iter(connectors.values()))
        return CARD_WORDS[CardStatus(await connector.authorise(tag))]

    async def begin(self, connector_id: int, begun: t.Begun) -> tuple[int, str]:
        """A charge began: its number, and what becomes of the card."""
        connector = await self.whose(
            lambda: self._parts.connectors().get(connector_id), connector_id
        )
        if connector is None:
            self._parts.log.warning("connector=%d is no CP; its charge is nobody's", connector_id)
            return self._parts.number(), CARD_WORDS[CardStatus.INVALID]
        transaction, status = await connector.begin(begun._replace(tag=printed(begun.tag)))
        return transaction, CARD_WORDS[CardStatus(status)]

    async def whose(
        self, look: Callable[[], F | None], connector_id: int | None = None
    ) -> F | None:
        """What `look` finds, of that connector or of any. Raises CallError."""
        return await whose(
            look,
            lambda: [to for one, to in self._parts.absent().items() if connector_id in (None, one)],
        )

    def find(self, number: int | None, key: str = "") -> Found | None:
        """Whose transaction it is, be it over; a name may be that of one here and one there."""
        at = self._parts.connectors().values()
        known = [(x, one) for x in at if (one := x.find(number, key)) is not None]
        return max(known, key=lambda found: isinstance(found[1], t.Transaction), default=None)

    def security_event(self, kind: str, info: str) -> None:
        """Something that it noticed."""
        self._parts.audit("security", "told", short(f"{kind} {info}".strip()))

    def key_answered(self, taken: str | None, word: str) -> None:
        """It was asked to take a new key: which it has now, None where it did not say so."""
        self._parts.audit("key", "ok" if taken else "refused", short(word))
        if taken is not None:
            self.status = self.status._replace(key=taken)
            self._parts.tell(self.status)

    def unknown(self, what: str) -> None:
        """It told of a transaction that is none of it."""
        self._parts.audit("transaction", "refused", what)

    def is_offline(self, at: datetime | None) -> bool:
        """Whether that was before this connection, by a clock that was ever set."""
        if at is None or not times.is_set(at):
            return False
        return (self.opened_at - at).total_seconds() > CLOCK_TOLERANCE_S

    def when(self, told: object) -> datetime | None:
        """The time of what it tells; None: of now, by a clock that is known to be behind."""
        return None if self._is_of_now else times.parse(told)

    async def _greet(self) -> None:
        with suppress(Refused, NoAnswer, NotSendable):
            found = await self.ask_connection_timeout()
            if found is not None:
                self.connection_timeout_s = found
        with suppress(Refused, NoAnswer, NotSendable):
            units = await self.ask_rate_units()
            if units in ("A", "Current"):
                self.rate_unit = "A"
        await self._ask_status()

    async def _ask_status(self) -> None:
        """One at a time, and only what it has not told by itself."""
        await asyncio.sleep(STATUS_WITHIN_S)
        for number in sorted(self._parts.connectors().keys() - self._told.keys()):
            if number not in self._told:
                with suppress(Refused, NoAnswer, NotSendable):
                    await self.ask_status(number)

    def _look_at_clock(self, payload: Answer) -> None:
        said = [payload, *payload.get("meterValue", ())]
        told = [at for one in said if (at := times.parse(one.get("timestamp"))) is not None]
        self._is_of_now = False
        if not told or payload.get("offline"):
            return
        now = self._parts.now()
        self._is_of_now = self._offset.is_same(max(told), now)
        off_s = self._offset.heard(max(told), now)
        if abs(off_s - (self.status.clock_off_s or 0)) > times.TOLERANCE_S:
            self.status = self.status._replace(clock_off_s=off_s)
            self._parts.tell(self.status)
            text = "station=%s: its clock is %d s ahead"
            self._parts.log.warning(text, self.connection.station, off_s)

    def _confirmed(self, number: int, service: str) -> None:
        connector = self._parts.connectors().get(number)
        if connector is not None:
            connector.confirmed(service)


async def heartbeat(station: ConnectedStation, _: Answer) -> Answer:
    """The time."""
    return station.clock()


async def security(station: ConnectedStation, payload: Answer) -> Answer:
    """Into the audit."""
    station.security_event(payload["type"], payload.get("techInfo", ""))
    return {}
