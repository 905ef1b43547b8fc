"""Words that both versions share, and what is made of a charger's own."""

from __future__ import annotations

from evcs.core.ids import MAX_WORD, short
from evcs.core.session import CardStatus

#: Both versions have these words for what becomes of a card.
CARD_WORDS = {
    CardStatus.ACCEPTED: "Accepted",
    CardStatus.INVALID: "Invalid",
    CardStatus.BLOCKED: "Blocked",
    CardStatus.EXPIRED: "Expired",
    CardStatus.CONCURRENT: "ConcurrentTx",
}


def tag_of(text: str) -> str:
    """What a charger read off a card; what is not printed can be no driver's."""
    return "".join(one if one.isprintable() else "?" for one in text)[:MAX_WORD]


def text_of(value: object) -> str | None:
    """What a charger says of itself, for people to read."""
    return short(value)[:50] if isinstance(value, str) and value else None
