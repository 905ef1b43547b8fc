"""What a gateway needs of the wire, and the wire of a gateway: Protocols, and what they give.

As in core.ports: adapters implement these (adapters.ocpp_server), tests have fakes.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from evcs.core.ocpp.rules import Code, Fault, Version


class StationAccess(NamedTuple):
    """Who may connect: the station's own name, whatever it calls itself, and its passwords.

    Each is good; none lets nobody in.
    """

    station: str
    keys: tuple[str, ...]


class AccessRefusal(StrEnum):
    """Why somebody may not connect."""

    UNKNOWN = "unknown station"
    CREDENTIALS = "wrong credentials"
    CERTIFICATE = "wrong certificate"


class CallError(Exception):
    """Raised by a Handler: the charger's CALL is answered with a CALLERROR."""

    def __init__(self, code: Code, description: str = "") -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


class Refused(Exception):
    """The charger answered with a CALLERROR, or with what its schema forbids (`code` says which).

    `code` is the charger's own word, `description` too.
    """

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description


class NoAnswer(Exception):
    """The charger did not answer in time, or its connection has ended."""


class NotSendable(Exception):
    """Our own CALL is none of the version, or not as its schema has it; nothing was sent."""


class Violation(NamedTuple):
    """What is wrong with a payload, and where in it."""

    fault: Fault
    description: str


class Schemas(Protocol):
    """Judges payloads by the standards' JSON schemas (adapters.ocpp_schemas)."""

    def violation(
        self, version: Version, action: str, payload: dict[str, Any], answer: bool = False
    ) -> Violation | None:
        """What is wrong with a request or an answer of a known action; the first that is found."""

    def readable(
        self, version: Version, action: str, payload: dict[str, Any]
    ) -> dict[str, Any] | None:
        """What is valid of a request that is not; None where that isn't enough."""


class Connection(Protocol):
    """An open connection of a station (adapters.ocpp_connection)."""

    @property
    def station(self) -> str:
        """Its name."""

    @property
    def version(self) -> Version:
        """What was agreed on."""

    @property
    def security_profile(self) -> int:
        """1: a password in plain text; 2: a password over TLS; 3: a client certificate."""

    @property
    def key(self) -> str:
        """Of which of its passwords it has shown that it has it: core.stations.key_id."""

    @property
    def certificate_ends_at(self) -> datetime | None:
        """Of the certificate that it has shown (UTC)."""

    @property
    def remote(self) -> str:
        """The address that it comes from."""

    async def call(
        self, action: str, payload: dict[str, Any], within_s: float = 30.0
    ) -> dict[str, Any]:
        """The charger's answer, valid by its schema. One call at a time, others wait their turn.

        `within_s` counts from when it is sent. Raises Refused, NoAnswer, NotSendable.
        """

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close it, without waiting; Handler.closed is called before this returns."""


class Handler(Protocol):
    """What is done with what chargers say: the gateway."""

    def serves(self, version: Version, action: str) -> bool:
        """Whether it handles a charger's CALL of that name; else the answer is NotSupported."""

    async def opened(self, connection: Connection) -> None:
        """A station has connected. Its CALLs wait until this returns; it may call itself."""

    async def called(
        self, connection: Connection, action: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """The answer to a CALL that is valid by its schema; one at a time for each connection.

        It may call itself. It is cancelled when the connection ends, so one that closes the
        connection gives no answer. What is left of one that tells energy and is not valid comes,
        too, but is answered with the error. Raises CallError.
        """

    def closed(self, connection: Connection) -> None:
        """Once for each that was opened; before its successor, if any, is opened."""

    def refused(self, who: str, why: AccessRefusal) -> None:
        """Somebody may not connect; `who`: the address, "unknown" where that is not known."""

    def turned_away(self, station: str, offered: str) -> None:
        """A station that may connect offers only versions that are not spoken; its own words."""

    def flooded(self, connection: Connection) -> None:
        """A station said so much that it is shut out for a while; it is closed after this."""

    def frame(self, connection: Connection, direction: str, text: str) -> None:
        """Each text message, "in" or "out", as it is on the wire: with passwords and keys."""
