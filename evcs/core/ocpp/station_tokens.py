"""Cards as an emulated station knows them: idTag of OCPP 1.6, IdToken of 2.0.1."""

from __future__ import annotations

from typing import NamedTuple

#: The type of a card that is held to a station, where none is given.
RFID = "ISO14443"


class Token(NamedTuple):
    """A card. `type`: 2.0.1's word, "" in 1.6."""

    tag: str
    type: str = ""

    @property
    def shown(self) -> str:
        """As people write it, with its type where that is no usual one."""
        return self.tag if self.type in ("", RFID) else f"{self.type}:{self.tag}"

    @property
    def folded(self) -> tuple[str, str]:
        """The same for the same card: no difference is made of upper and lower case."""
        return self.tag.casefold(), self.type

    def is_same(self, other: Token) -> bool:
        """Whether it is that card."""
        return self.folded == other.folded


class Card(NamedTuple):
    """What the back end said of a card last. `expires_at`: RFC 3339, "" for never."""

    tag: str
    status: str
    expires_at: str = ""
    parent: str = ""
    type: str = ""

    @property
    def token(self) -> Token:
        """Which one it is."""
        return Token(self.tag, self.type)
