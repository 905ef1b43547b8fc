"""Cards that are held to a station by command: each command has its answer, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from evcs.core.ocpp.station_reader import Presented

Reply = Callable[[str, str | None, dict[str, Any] | None], None]


class PresentedCards:
    """One station's. `reply(id, error, body)`: to a command."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        #: Card -> the commands that hold it to the station.
        self._waiting: dict[str, deque[str]] = {}

    def add(self, tag: str, command: str) -> None:
        """A command holds a card to it."""
        self._waiting.setdefault(tag, deque()).append(command)

    def answer(self, cards: list[Presented], error: str | None = None) -> None:
        """What became of cards, which are taken; `error`: none of it can be kept."""
        for one in cards:
            waiting = self._waiting.get(one.tag)
            if waiting:
                word = error or (None if one.ok else one.word)
                self._reply(waiting.popleft(), word, {"card": one.word})
            if not waiting:
                self._waiting.pop(one.tag, None)
        cards.clear()

    def refuse(self, error: str) -> None:
        """Of all that wait nothing comes."""
        for waiting in self._waiting.values():
            for command in waiting:
                self._reply(command, error, None)
        self._waiting.clear()
