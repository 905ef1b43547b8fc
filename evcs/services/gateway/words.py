"""Words that both versions share, and what is made of a charger's own."""

from __future__ import annotations

from evcs.core.ids import short
from evcs.core.session import CardStatus

#: Both versions have these words for what becomes of a card.
CARD_WORDS = {
    CardStatus.ACCEPTED: "Accepted",
    CardStatus.INVALID: "Invalid",
    CardStatus.BLOCKED: "Blocked",
    CardStatus.EXPIRED: "Expired",
    CardStatus.CONCURRENT: "ConcurrentTx",
}


def text_of(value: object) -> str | None:
    """What a charger says of itself, for people to read."""
    return short(value)[:50] if isinstance(value, str) and value else None
