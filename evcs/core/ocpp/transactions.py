"""The transactions of one connector: what its charger told of them, and what came of it.

    remote --begun--> asked --answered--> supplying --ended--> ended --settled--> over
    (a start from afar)     (Central has not said whose it is)

What is held is what the last record says (`to_record`, `from_record`), and it is on the disk before
the charger has its answer. A charger tells what was not answered again, with the same content, so
`request_id` is made of the content, and all that is told twice is known by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from evcs.core.ocpp import times
from evcs.core.ocpp.room import Room

#: Of a record.
FORMAT = 1
#: Transactions that are over and still known, for what is told again.
REMEMBERED = 32
#: Of OCPP 1.6's transactionId, which some chargers keep in 32 bits with a sign.
MAX_ID = 2**31 - 1
#: In the place of a register with which a charge began: the first reading says it.
UNTOLD = -1
#: Charges for which nobody has shown a card yet; the oldest give way.
MOST_UNCARDED = 10


class Phase(StrEnum):
    """Where in its life a transaction is."""

    REMOTE = "remote"
    ASKED = "asked"
    SUPPLYING = "supplying"
    ENDED = "ended"


class Begun(NamedTuple):
    """What a charger tells of a begin. `at`: RFC 3339 UTC; `meter_wh`: its register, or UNTOLD.

    `key`: the transaction's name by the charger, "" where it has none (1.6). `offline`: it began
    while the charger was away. `starts`: it is told as its first event (2.0.1).
    """

    tag: str
    at: str
    meter_wh: int
    key: str = ""
    offline: bool = False
    starts: bool = False


class Transaction(NamedTuple):
    """One charge. `id`: its number for the charger (1.6). Energy in Wh.

    `session_id`: Central's, None until it has answered. `status`: what Central made of the card.
    `max_power_w`: its CP's as it began, 0 where that is not known.
    `live`: it is known to be under way. `target_wh`: what its driver asked for. `since`: when it
    began here, in seconds of a clock that goes on evenly. `starts`: its begin was told first.
    """

    id: int
    request_id: str
    phase: str
    session_id: str | None = None
    tag: str = ""
    key: str = ""
    at: str = ""
    meter_wh: int = 0
    offline: bool = False
    live: bool = True
    status: str | None = None
    energy_wh: int = 0
    seq: int = 0
    target_wh: int | None = None
    reason: str | None = None
    since: float = 0.0
    starts: bool = True
    max_power_w: int = 0

    @property
    def is_open(self) -> bool:
        """Whether its end has not been told."""
        return self.phase != Phase.ENDED

    @property
    def is_lost(self) -> bool:
        """Whether it is over there, as far as is known, and its end has not been told."""
        return self.phase == Phase.SUPPLYING and not self.live and not self.offline


class Over(NamedTuple):
    """What is still known of a transaction that is settled."""

    id: int
    request_id: str
    key: str
    status: str | None
    session_id: str | None
    at: str = ""
    starts: bool = True


class Held(NamedTuple):
    """All that a connector holds, in the order in which it was told.

    `uncarded`: what began, by the charger's own name for it, before anybody has shown a card.
    """

    transactions: tuple[Transaction, ...] = ()
    over: tuple[Over, ...] = ()
    uncarded: tuple[Begun, ...] = ()
    room: Room = Room()

    def put(self, one: Transaction) -> Held:
        """With one that is new, or another than before."""
        if any(known.id == one.id for known in self.transactions):
            same = (one if known.id == one.id else known for known in self.transactions)
            return self._replace(transactions=tuple(same))
        left = tuple(begun for begun in self.uncarded if begun.key != one.key)
        return self._replace(transactions=(*self.transactions, one), uncarded=left)

    def begun(self, one: Transaction) -> Held:
        """With one that has begun; those before it that it leaves without an end are over there."""
        held = self.put(one)
        left = [x for x in self.transactions if one.live and x.live and x.phase != Phase.REMOTE]
        for lost in left:
            held = held.put(lost._replace(live=lost.id == one.id))
        return held

    def plugged(self, begun: Begun) -> Held:
        """With one for which nobody has shown a card; its begin is what was told of it first."""
        if self.told(begun, "") is not None:
            return self
        first = self.uncarded_as(begun)
        left = tuple(one for one in self.uncarded if one.key != begun.key)
        return self._replace(uncarded=(*left, first)[-MOST_UNCARDED:])

    def uncarded_as(self, begun: Begun) -> Begun:
        """A begin with what was told of it before there was a card."""
        first = next((one for one in self.uncarded if one.key == begun.key), None)
        if first is None or not begun.key or is_other(first, begun):
            return begun
        meter_wh = begun.meter_wh if first.meter_wh == UNTOLD else first.meter_wh
        return first._replace(tag=begun.tag, meter_wh=meter_wh)

    def drop(self, one: Transaction) -> Held:
        """Without one that never began."""
        left = tuple(known for known in self.transactions if known.id != one.id)
        return self._replace(transactions=left)

    def settle(self, one: Transaction) -> Held:
        """With one that is over."""
        over = Over(one.id, one.request_id, one.key, one.status, one.session_id, one.at,
                    one.starts)  # fmt: skip
        return self.drop(one)._replace(over=(*self.over, over)[-REMEMBERED:])

    @property
    def known(self) -> list[Transaction | Over]:
        """All of them."""
        return [*self.transactions, *self.over]

    def told(self, begun: Begun, request: str) -> Transaction | Over | None:
        """The charge that a begin is of, where that was told before."""
        known = self.keyed(begun.key) if begun.key else self.requested(request)
        return None if known is None or is_other(known, begun) else known

    def requested(self, request_id: str) -> Transaction | Over | None:
        """The one that began by that content."""
        return next((one for one in self.known if one.request_id == request_id), None)

    def numbered(self, number: int) -> Transaction | Over | None:
        """The one of that number."""
        return next((one for one in self.known if one.id == number), None)

    def keyed(self, key: str) -> Transaction | Over | None:
        """The one that the charger calls so: the latest, as it may use a name again."""
        latest: list[Transaction | Over] = [*self.over, *self.transactions]
        return next((one for one in reversed(latest) if one.key == key), None)

    def of_session(self, session_id: str | None) -> Transaction | Over | None:
        """The one that is Central's session of that id."""
        return next((one for one in self.known if one.session_id == session_id), None)

    @property
    def live(self) -> Transaction | None:
        """The one under way, as far as is known: the latest that is open."""
        return next((one for one in reversed(self.transactions) if one.is_open and one.live), None)

    @property
    def shown(self) -> Transaction | None:
        """What the connector is said to hold: the one under way, or one that is not settled."""
        if self.live is not None:
            return self.live
        ended = (one for one in reversed(self.transactions) if one.phase == Phase.ENDED)
        return next(ended, None)


def is_other(known: Begun | Transaction | Over, begun: Begun) -> bool:
    """Whether the charger uses a name again, for a charge that begins now."""
    if not begun.starts or known.at in ("", begun.at):
        return False
    was, now = times.parse(known.at), times.parse(begun.at)
    return known.starts or (was is not None and now is not None and now > was)


def request_id(station: str, connector: int, begun: Begun) -> str:
    """Of what a charger tells; the same where it tells it again, and else another."""
    content: tuple[object, ...] = (station, begun.key, begun.at, begun.meter_wh)
    if not begun.key:
        content = (station, connector, begun.tag, begun.at, begun.meter_wh)
    return "ocpp-" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def begin(
    held: Held, request: str, number: Callable[[], int], begun: Begun, since: float
) -> Transaction:
    """A transaction that has begun: the one that was asked for from afar, where it is that."""
    remote = next(
        (
            one
            for one in held.transactions
            if one.phase == Phase.REMOTE and one.session_id == begun.tag
        ),
        None,
    )
    one = remote or Transaction(number(), request, Phase.ASKED)
    return one._replace(
        request_id=request, phase=Phase.ASKED, tag=begun.tag, key=begun.key, at=begun.at,
        meter_wh=begun.meter_wh, offline=begun.offline,
        live=remote is not None or not begun.offline, since=since,
        starts=begun.starts or not begun.key,
    )  # fmt: skip


def metered(one: Transaction, energy_wh: int) -> Transaction:
    """After a reading."""
    return one._replace(seq=one.seq + 1, energy_wh=max(one.energy_wh, energy_wh))


def ended(one: Transaction, energy_wh: int | None, reason: str) -> Transaction:
    """After its end; what can't be metered is left at the last reading."""
    after = metered(one, one.energy_wh if energy_wh is None else energy_wh)
    return after._replace(phase=Phase.ENDED, reason=reason)


def answered(one: Transaction, session_id: str, status: str) -> Transaction:
    """After Central's word."""
    phase = Phase.SUPPLYING if one.phase == Phase.ASKED else one.phase
    return one._replace(phase=phase, session_id=session_id, status=status)


def to_record(held: Held) -> dict[str, Any]:
    """A journal's record."""
    return {
        "format": FORMAT,
        "transactions": [one._asdict() for one in held.transactions],
        "over": [list(one) for one in held.over],
        "uncarded": [list(one) for one in held.uncarded],
        "room": list(held.room),
    }


def is_record(record: dict[str, Any]) -> bool:
    """Whether a record says what a connector can hold."""
    try:
        from_record(record)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def from_record(record: dict[str, Any] | None) -> Held:
    """What a connector holds at its birth. Raises KeyError, TypeError, ValueError."""
    if record is None:
        return Held()
    if record["format"] != FORMAT:
        raise ValueError("another format")
    transactions = tuple(Transaction(**one) for one in record["transactions"])
    for one in transactions:
        if one.phase not in frozenset(Phase) or type(one.id) is not int:
            raise ValueError("no transaction")
    return Held(
        transactions, tuple(Over(*one) for one in record["over"]),
        tuple(Begun(*one) for one in record.get("uncarded", ())),
        Room(*map(float, record.get("room", ()))),
    )  # fmt: skip
