"""An emulated station's card reader: whom it knows, whom it asks for, what came of each card."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core.ocpp import station_cards as cards
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_cards import ACCEPTED
from evcs.core.ocpp.station_dialect import Answer, Station
from evcs.core.ocpp.station_tokens import Card, Token


class Presented(NamedTuple):
    """What became of a card that was held to it: whether it did anything, and a word for it."""

    tag: str
    ok: bool
    word: str


class Reader:
    """One station's. `answers`: of cards that were held to it."""

    def __init__(self, station: Station) -> None:
        self._of = station
        self.answers: list[Presented] = []
        self._asked: list[tuple[Token, int | None]] = []

    def present(self, tag: str, at: At) -> None:
        """A card is held to it: a transaction begins, or ends where the card may end it."""
        of = self._of
        one, token = of.held.transaction, of.dialect.token(tag)
        if one is not None:
            ends = cards.is_same(of.held, of.keys, token, one.token, at.text)
            if ends:
                of.end("Local", at, token)
            self.answers.append(Presented(tag, ends, "stopped" if ends else "busy"))
        elif word := of.cannot_begin(at):
            self.answers.append(Presented(tag, False, word))
        else:
            self.identified(token, at)

    def identified(self, token: Token, at: At, remote: int | None = None) -> None:
        """A card is there: it begins, or the back end is asked for it."""
        of = self._of
        found = cards.decided_here(of.held, of.keys, token, at.text, of.is_online)
        if found is None:
            self.authorise(token, remote)
        else:
            self._decided(token, found, at, remote)

    def authorise(self, token: Token, remote: int | None = None) -> None:
        """Ask the back end for a card, and begin where it is accepted."""
        payload, waits = self._of.dialect.authorize(token), (token, remote)

        def answered(answer: Answer | None, at: At) -> None:
            self._asked.remove(waits)
            card = answer and self._of.dialect.card(payload, answer)
            if card:
                self.learned(card, at)
            self._decided(token, card.status if card else "no answer", at, remote)

        self._asked.append(waits)
        self._of.agenda.say("Authorize", payload, answered)

    def lost(self, at: At) -> None:
        """The connection is gone; about cards that wait for an answer it decides itself."""
        waiting, self._asked = self._asked, []
        for token, remote in waiting:
            word = cards.decided_here(self._of.held, self._of.keys, token, at.text, False)
            self._decided(token, word, at, remote)

    def learned(self, card: Card, at: At) -> None:
        """What the back end says of a card now; that its list says otherwise is told (3.5.2)."""
        of = self._of
        listed = cards.listed(of.held, of.keys, card.token)
        if listed is not None and listed.status != card.status:
            payload = of.dialect.conflict(of, at)
            if payload is not None:
                of.agenda.say("StatusNotification", payload)
        of.held = cards.kept(of.held, of.keys, card)

    def _decided(self, token: Token, word: str | None, at: At, remote: int | None) -> None:
        word = word or cards.OFFLINE
        hindered = self._of.cannot_begin(at) if word == ACCEPTED else ""
        ok = word == ACCEPTED and not hindered
        if ok:
            self._of.begin(token, at, remote)
        else:
            self._of.wished = None
        self.answers.append(Presented(token.shown, ok, hindered or word.lower()))
