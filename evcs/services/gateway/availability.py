"""Whether a station's connectors are in service: its charger is told, and confirms it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from evcs.core.ports import Log
from evcs.services.gateway.orders import ACCEPTED, word_of
from evcs.services.gateway.tasks import Tasks

#: It is so, or will be when the charge is over.
TAKEN = frozenset({ACCEPTED, "Scheduled"})


class Availability:
    """In one connection. `tell(number, operative)`: its word; `confirmed(number, service)`."""

    def __init__(
        self, tell: Callable[[int, bool], Awaitable[str]], confirmed: Callable[[int, str], object],
        log: Log,
    ) -> None:  # fmt: skip
        self._tell, self._confirmed, self._log = tell, confirmed, log
        #: Connector -> "in" or "out" of service, as it is to be, and the charger's word to that.
        self._wanted: dict[int, str] = {}
        self._words: dict[int, str] = {}
        self._turn = asyncio.Lock()
        self._tasks = Tasks(log)

    def confirmed(self, number: int) -> str | None:
        """What it has confirmed of a connector."""
        return self._wanted.get(number) if self._words.get(number) in TAKEN else None

    def want(self, number: int, service: str) -> None:
        """The charger is told where that is new."""
        if self._wanted.get(number) != service:
            self._wanted[number] = service
            self._words.pop(number, None)
            self._tasks.do(self._tell_of(number))

    def again(self) -> None:
        """Tell it what it has refused: before it has said who it is it may refuse all."""
        for number, word in self._words.items():
            if word not in TAKEN:
                self._tasks.do(self._tell_of(number))

    async def word(self, number: int) -> str:
        """Its word to what a connector is to be; it is told again where it has not taken it."""
        is_being_told = self._turn.locked()
        async with self._turn:
            known = self._words.get(number)
        if known is None or not is_being_told:
            await self._tell_of(number)
        found = self._words.get(number, "nothing")
        return ACCEPTED if found in TAKEN else found

    def close(self) -> None:
        """Nothing more is done."""
        self._tasks.close()

    async def _tell_of(self, number: int) -> None:
        async with self._turn:
            service = self._wanted.get(number)
            if service is None or self._words.get(number) in TAKEN:
                return
            word = await word_of(self._tell(number, service == "in"))
            if self._wanted[number] != service:
                return  # that is told next
            self._words[number] = word
        if word in TAKEN:
            self._confirmed(number, service)
        else:
            text = "connector=%d told to be %s of service; the charger answered %s"
            self._log.error(text, number, service, word)
