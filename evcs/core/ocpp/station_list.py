"""The list of cards that a back end gives a station: OCPP 1.6, 3.5.2 and 5.15; 2.0.1 part 2, D."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from evcs.core.ocpp.station_tokens import Card, Token

#: Cards in it, and in one message. Its journal has them in each record.
MOST_LISTED = 250
ACCEPTED, FAILED, MISMATCH = "Accepted", "Failed", "VersionMismatch"


class LocalList(NamedTuple):
    """Its cards. `version`: the back end's number of it, 0: there is none."""

    version: int = 0
    cards: tuple[Card, ...] = ()

    def card(self, token: Token) -> Card | None:
        """What it says of a card."""
        return next((one for one in self.cards if one.token.is_same(token)), None)


def updated(
    before: LocalList, version: int, full: bool, changes: Iterable[tuple[Token, Card | None]]
) -> tuple[str, LocalList]:
    """The word for an update, and the list after it: the same where the word is not ACCEPTED.

    `full`: in the place of all before. A change without a card takes that one out.
    """
    given = list(changes)
    changed = {token.folded: card for token, card in given}
    if version <= 0 or len(changed) < len(given) or (full and None in changed.values()):
        return FAILED, before
    if not full and version <= before.version:
        return MISMATCH, before
    known = {} if full else {one.token.folded: one for one in before.cards}
    after = tuple(card for card in (known | changed).values() if card is not None)
    if max(len(after), len(changed)) > MOST_LISTED:
        return FAILED, before
    return ACCEPTED, LocalList(version, after)
