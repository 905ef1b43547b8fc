"""What is a version's own of what a station does, and what the parts of a station see of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from evcs.core.ocpp.back_end import BackOff
from evcs.core.ocpp.rules import Version
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_jobs import Jobs
from evcs.core.ocpp.station_meter import Sample
from evcs.core.ocpp.station_profiles import Car, Profile
from evcs.core.ocpp.station_settings import Configuration
from evcs.core.ocpp.station_state import Item, OwnTransaction, StationState
from evcs.core.ocpp.station_tokens import Card, Token

Answer = dict[str, Any]
Answered = Callable[[Answer | None, At], None]
#: What a station does at its back end's word, and its answer.
Order = Callable[["Station", Answer, At], Answer]


class Identity(NamedTuple):
    """Who made it, and which one it is. `security_profile`: with which it dials, 0 for none."""

    vendor: str
    model: str
    serial: str
    firmware: str
    security_profile: int = 0


class Dialect(Protocol):
    """One version's, of one station. It keeps nothing: what is to be kept is in its state."""

    version: Version
    orders: Mapping[str, Order]
    identity: Identity

    def back_off(self, keys: Configuration) -> BackOff:
        """How long it waits before it dials again."""

    def offline_threshold_s(self, keys: Configuration) -> int:
        """After how long an absence all states are told again."""

    def settings(self, changed: Mapping[str, str]) -> Configuration:
        """What can be set of the station."""

    def token(self, tag: str) -> Token:
        """A card that is held to it."""

    def statuses(self, station: Station) -> dict[int, str]:
        """What it tells of its connectors, by their numbers; 1 is the one that charges."""

    def boot(self, reason: str) -> Answer:
        """BootNotification. `reason`: 2.0.1's word for it."""

    def status(self, station: Station, connector: int, status: str, at: At) -> Answer:
        """StatusNotification."""

    def conflict(self, station: Station, at: At) -> Answer | None:
        """StatusNotification, where its list says otherwise of a card than the back end."""

    def authorize(self, token: Token) -> Answer:
        """Authorize."""

    def card(self, payload: Answer, answer: Answer) -> Card | None:
        """What the answer to a payload says of its card, if it does."""

    def begun(self, station: Station, at: At, remote: int | None) -> StationState:
        """With the begin of the transaction to be told. `remote`: the id of who asked for it."""

    def ended(
        self, station: Station, one: OwnTransaction, reason: str, token: Token | None, at: At
    ) -> StationState:
        """With the end of a transaction to be told. `token`: of who ended it."""

    def turned(self, station: Station, at: At) -> StationState:
        """With what is to be told where a transaction begins or ceases to take power."""

    def read(self, station: Station, key: str, context: str, at: At) -> StationState:
        """With readings of the measurands of a key to be told, if there are any."""

    def opened(self, held: StationState) -> StationState:
        """With what waits as it is told after an absence."""

    def sendable(self, held: StationState, item: Item) -> Answer:
        """A message's payload as it is sent, once all before it are answered."""

    def taken(self, held: StationState, item: Item, answer: Answer | None) -> StationState:
        """Without a message that is answered; None: it was given up."""

    def password(self, held: StationState) -> bytes | None:
        """With what it dials, where its back end has given it another."""

    def transaction_id(self, held: StationState) -> int | str | None:
        """What the back end calls the transaction under way."""


class Coming(NamedTuple):
    """Who may charge until that monotonic second, if a car comes. `remote`: who asked for it."""

    token: Token
    remote: int | None
    until: float


class Speech(Protocol):
    """What a station has to say by itself (core.ocpp.station_agenda)."""

    registration: str

    @property
    def is_full(self) -> bool:
        """Whether too much waits to be said once."""

    def say(self, action: str, payload: Answer, answered: Answered = ...) -> None:
        """Have it say something once, as long as it is connected."""

    def trigger(self, message: str, at: At) -> None:
        """Have it say BootNotification, Heartbeat or StatusNotification once more."""


class CardReader(Protocol):
    """Its card reader (core.ocpp.station_reader)."""

    def identified(self, token: Token, at: At, remote: int | None = None) -> None:
        """A card is there: it begins, or the back end is asked for it."""

    def authorise(self, token: Token) -> None:
        """Ask the back end for a card, and begin where it is accepted."""

    def learned(self, card: Card, at: At) -> None:
        """What the back end says of a card now."""


class Station(Protocol):
    """The station (core.ocpp.station), as its dialect, orders, agenda and reader see it."""

    held: StationState
    jobs: Jobs
    fault: str | None
    full: bool
    halted: bool
    most_w: int
    wished: Profile | None
    plugged: bool
    restarts: str
    restarts_later: str
    coming: Coming | None
    sample: Sample

    @property
    def dialect(self) -> Dialect:
        """Its version's part."""

    @property
    def agenda(self) -> Speech:
        """What it has to say."""

    @property
    def reader(self) -> CardReader:
        """Its card reader."""

    @property
    def keys(self) -> Configuration:
        """Its configuration."""

    @property
    def is_online(self) -> bool:
        """Whether the back end has taken it up, and is there."""

    @property
    def car(self) -> Car:
        """What its charging profiles are to limit."""

    @property
    def status(self) -> str:
        """Of its connector: StatusNotification's word."""

    def begin(self, token: Token, at: At, remote: int | None = None) -> None:
        """A transaction begins, as soon as a car is there."""

    def end(self, reason: str, at: At, token: Token | None = None) -> None:
        """The transaction, if there is one, is over."""

    def cannot_begin(self, at: At) -> str:
        """Why no transaction may begin, "" where one may."""

    def secure(self, event: str, at: At) -> None:
        """A security event is to be told."""

    def judged(self, number: int, card: Card, at: At) -> None:
        """The back end's word to the begin of a transaction."""
