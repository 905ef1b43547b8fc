"""What an emulated charging station holds, whatever its process goes through: its register, its
transaction, and the messages that matter until its back end has them.

All of it is what the journal's last record says (`to_record`, `from_record`), and is there before
anything of it is told. A message keeps its place and its number until it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from evcs.core.ocpp.station_list import LocalList
from evcs.core.ocpp.station_profiles import Period, Profile, Profiles, over
from evcs.core.ocpp.station_tokens import Card, Token
from evcs.core.ocpp.times import parse

NUMBERS_FROM = datetime(2026, 1, 1, tzinfo=UTC)
#: Of a record.
FORMAT = 1
#: Cards of which the back end's word is kept; the oldest give way.
MOST_CACHED = 50
#: Readings that wait. Of more every second one is dropped: begins and ends never are.
MOST_READINGS = 120
#: Readings of a transaction that are told with its end; of more every second one is dropped.
MOST_DATA = 40
METER = "MeterValues"
#: 2.0.1's reasons for an event that tells readings alone.
READS = frozenset({"MeterValuePeriodic", "MeterValueClock", "Trigger"})
CHANGED: Mapping[str, str] = {}


class Item(NamedTuple):
    """A message that waits. `failed`: how often the back end could not take it.

    `transaction`: ours of which it is, 0: of none; its id is put in when it is sent.
    """

    number: int
    action: str
    payload: dict[str, Any]
    transaction: int = 0
    failed: int = 0

    @property
    def is_reading(self) -> bool:
        """Whether it tells no more than readings."""
        return self.action == METER or self.payload.get("triggerReason") in READS


class OwnTransaction(NamedTuple):
    """The charge under way. `number`: ours; `at`: RFC 3339 UTC; `meter_wh`: the register there.

    `suspended`: the back end would not have the card, and lets the transaction be.
    """

    number: int
    tag: str
    at: str
    meter_wh: int
    suspended: bool = False
    type: str = ""

    @property
    def token(self) -> Token:
        """The card that began it."""
        return Token(self.tag, self.type)


class End(NamedTuple):
    """How a transaction ended: at which register, and why."""

    number: int
    meter_wh: int
    reason: str


class StationState(NamedTuple):
    """All that a station holds. `key`: of this station's life, for the ids of its messages.

    `ids`: our number of a transaction and the back end's, while it or messages of it are there.
    `configuration`: what is otherwise than in a new station. `last`: the transaction that ended
    last. `absent`: no car comes by itself, since one was unplugged by hand. `data`: readings that
    are told with the end of the transaction. `inoperative`: what of it was taken out of service
    ("0": all). `seq`: 2.0.1's number of the next event of the transaction whose turn it is.
    """

    key: str = ""
    register_wh: int = 0
    numbers: int = 0
    transaction: OwnTransaction | None = None
    queue: tuple[Item, ...] = ()
    ids: tuple[tuple[int, int], ...] = ()
    inoperative: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    configuration: Mapping[str, str] = CHANGED
    last: End | None = None
    absent: bool = False
    profiles: Profiles = ()
    local: LocalList = LocalList()
    data: tuple[dict[str, Any], ...] = ()
    seq: int = 0

    def born(self, at: datetime) -> StationState:
        """With numbers that were never given, though a journal out of a backup does not know them.

        They go on from the time of day, which has gone on meanwhile: nobody says a thousand things
        in a second.
        """
        return self._replace(
            numbers=max(self.numbers, (at - NUMBERS_FROM) // timedelta(milliseconds=1))
        )

    def put(self, action: str, payload: dict[str, Any], transaction: int = 0) -> StationState:
        """With one more message that matters."""
        item = Item(self.numbers + 1, action, payload, transaction)
        return self._replace(numbers=item.number, queue=_thinned((*self.queue, item)))

    def begun(self, token: Token, at: str) -> StationState:
        """With a transaction that begins now."""
        one = OwnTransaction(self.numbers + 1, token.tag, at, self.register_wh, type=token.type)
        return self._replace(numbers=one.number, transaction=one, data=())

    def noted(self, reading: dict[str, Any] | None) -> StationState:
        """With a reading, if it is one, to be told with the end of the transaction."""
        if reading is None:
            return self
        data = (*self.data, reading)
        return self._replace(data=data[::2] if len(data) > MOST_DATA else data)

    def ended(self, reason: str) -> StationState:
        """With the transaction over; the same where there is none."""
        one = self.transaction
        if one is None:
            return self
        end = End(one.number, self.register_wh, reason)
        return self._replace(transaction=None, last=end, profiles=over(self.profiles))

    @property
    def head(self) -> Item | None:
        """The message whose turn it is."""
        return self.queue[0] if self.queue else None

    def without(self, item: Item) -> StationState:
        """Without a message that is answered, or given up."""
        return self._replace(queue=tuple(one for one in self.queue if one.number != item.number))

    def again(self, item: Item) -> StationState:
        """With a message that the back end could not take, once more."""
        again = item._replace(failed=item.failed + 1)
        same = (again if one.number == item.number else one for one in self.queue)
        return self._replace(queue=tuple(same))

    def with_card(self, card: Card) -> StationState:
        """With what the back end said of a card."""
        left = tuple(one for one in self.cards if not one.token.is_same(card.token))
        return self._replace(cards=(*left, card)[-MOST_CACHED:])

    def card(self, token: Token, now: str) -> Card | None:
        """What is known of a card that has not expired."""
        for one in self.cards:
            if one.token.is_same(token):
                ends, then = parse(one.expires_at), parse(now)
                return None if ends is not None and then is not None and ends <= then else one
        return None

    def configured(self, key: str, value: str) -> StationState:
        """With a key otherwise than before."""
        return self._replace(configuration={**self.configuration, key: value})


def _thinned(queue: tuple[Item, ...]) -> tuple[Item, ...]:
    """Every second reading is dropped (2.0.1, E04.FR.08), whichever version tells them."""
    readings = [one.number for one in queue if one.is_reading]
    if len(readings) <= MOST_READINGS:
        return queue
    # Never the one at the head: it may be under way.
    dropped = set(readings[1::2]) - {queue[0].number}
    return tuple(one for one in queue if one.number not in dropped)


def to_record(held: StationState) -> dict[str, Any]:
    """A part of a journal's record."""
    one = held.transaction
    return {
        "format": FORMAT,
        **held._asdict(),
        "transaction": None if one is None else one._asdict(),
        "configuration": dict(held.configuration),
    }


def from_record(record: Mapping[str, Any]) -> StationState:
    """What a station holds at its birth. Raises KeyError, TypeError, ValueError."""
    if record["format"] != FORMAT:
        raise ValueError("another format")
    one = record["transaction"]
    held = StationState(
        str(record["key"]), int(record["register_wh"]), int(record["numbers"]),
        None if one is None else OwnTransaction(**one),
        tuple(Item(*item) for item in record["queue"]),
        tuple((int(ours), int(theirs)) for ours, theirs in record["ids"]),
        _levels(record["inoperative"]),
        tuple(Card(*card) for card in record["cards"]),
        {str(key): str(value) for key, value in record["configuration"].items()},
        End(*record["last"]) if record.get("last") else None,
        local=_list(*record.get("local", LocalList())),
        profiles=tuple(map(_profile, record.get("profiles", ()))),
        absent=bool(record.get("absent")), data=tuple(record.get("data", ())),
        seq=int(record.get("seq", 0)),
    )  # fmt: skip
    if held.register_wh < 0 or any(type(item.payload) is not dict for item in held.queue):
        raise ValueError("no station holds that")
    return held


def _profile(record: list[Any]) -> Profile:
    made = Profile(*record)
    return made._replace(periods=tuple(Period(*one) for one in made.periods))


def _list(version: int, cards: list[Any]) -> LocalList:
    return LocalList(int(version), tuple(Card(*card) for card in cards))


def _levels(found: Any) -> tuple[str, ...]:
    """A record of before 2.0.1 says no more than whether."""
    if isinstance(found, bool):
        return ("0",) if found else ()
    return tuple(str(one) for one in found)
