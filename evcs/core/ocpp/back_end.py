"""A back end as the charging station that dials it has it: what is told of the connection, and when
it is tried anew."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from evcs.core.ocpp.rules import Version

#: What a CP has of its back end.
CONNECTED, AWAY, REFUSED = "connected", "away", "refused"
#: How the reason of a loss begins, where its certificate would not do.
UNTRUSTED = "its certificate is refused"


class Opened(NamedTuple):
    """Connected, and the back end speaks that version."""

    version: Version


class Said(NamedTuple):
    """A text message of the back end's; of many bytes it was cut off before (rules.TOO_LARGE)."""

    text: str


class Lost(NamedTuple):
    """The connection is gone, or could not be had; it is tried again.

    `refused`: the back end is there and lets this station not in.
    """

    reason: str
    refused: bool = False


Event = Opened | Said | Lost


class BackEnd(Protocol):
    """A connection to a back end that comes back by itself (adapters.ocpp_client)."""

    def send(self, text: str) -> bool:
        """Hand over a text message. False where there is no connection."""

    def close(self, code: int, reason: str) -> None:
        """Close this connection; a new one is begun as after a loss."""

    def set_password(self, password: bytes) -> None:
        """Dial with that from now on."""

    def set_ping(self, every_s: float) -> None:
        """Look for a dead connection so often; 0: never."""

    def set_back_off(self, back_off: BackOff) -> None:
        """Wait like that from the next loss on."""


class BackOff(NamedTuple):
    """How long a station waits before it dials again: OCPP 2.0.1 part 4, 5.3 (reconnecting).

    It waits `minimum_s`, and each time twice as long as before, `repeats` times at most; and each
    time a random part of `random_s` more, so that not all stations of a back end come at once.
    """

    minimum_s: float = 1.0
    random_s: float = 10.0
    repeats: int = 5

    def wait_s(self, failed: int, random: float) -> float:
        """Before the next try, after so many in a row that failed. `random`: from 0 to 1."""
        return float(self.minimum_s * 2 ** min(failed, self.repeats) + self.random_s * random)
