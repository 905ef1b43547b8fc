"""What a connector asks Central, and told again until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from evcs.core import messages as m
from evcs.core.errors import EvcsError
from evcs.core.ocpp import times
from evcs.core.ocpp import transactions as t

#: Cards whose last answer is remembered; the oldest give way.
MOST_CARDS = 100


def start_of(cp: str, one: t.Transaction, now: datetime) -> m.StationRequest:
    """Whose a charge is that has begun."""
    at = times.written(times.parse(one.at) or now)
    meter_wh = max(one.meter_wh, 0)
    return m.StationRequest(cp, one.request_id, "start", one.tag, at, meter_wh, one.offline)


class CentralAway(EvcsError):
    """Central has not answered in time: nothing is known of the card."""


class Questions:
    """Each question is asked once, whoever waits for its answer."""

    def __init__(self, publish: Callable[[m.StationRequest], object], within_s: float) -> None:
        self._publish, self._within_s = publish, within_s
        #: Card -> what became of it last.
        self._cards: dict[str, str] = {}
        self._open: dict[str, tuple[m.StationRequest, asyncio.Future[m.StationAnswer]]] = {}

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._open

    async def status_of(self, asked: m.StationRequest) -> str:
        """What becomes of a card, by Central's word or else by its last one. Raises CentralAway."""
        try:
            answer = await self.ask(asked)
        except CentralAway:
            if asked.tag not in self._cards:
                raise
            return self._cards[asked.tag]
        self._cards.pop(asked.tag, None)
        while len(self._cards) >= MOST_CARDS:
            del self._cards[next(iter(self._cards))]
        self._cards[asked.tag] = answer.status
        return answer.status

    async def ask(self, asked: m.StationRequest) -> m.StationAnswer:
        """Central's answer. Raises CentralAway."""
        if asked.id not in self._open:
            self._open[asked.id] = (asked, asyncio.get_running_loop().create_future())
            self._publish(asked)
        future = self._open[asked.id][1]
        try:
            async with asyncio.timeout(self._within_s):
                return await asyncio.shield(future)
        except TimeoutError:
            raise CentralAway("Central does not answer", "try again in a moment") from None
        finally:
            self._open.pop(asked.id, None)

    def answered(self, answer: m.StationAnswer) -> None:
        """Central has answered."""
        found = self._open.get(answer.id)
        if found is not None and not found[1].done():
            found[1].set_result(answer)

    def again(self) -> None:
        """Ask what is open again."""
        for asked, _ in tuple(self._open.values()):
            self._publish(asked)
