"""What the operator asks of a charger: its answer, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from evcs.core import messages as m
from evcs.core.errors import BadValue, Conflict, EvcsError, Unreachable
from evcs.core.ocpp.ports import NoAnswer, NotSendable, Refused
from evcs.services.gateway.availability import TAKEN
from evcs.services.gateway.dialect import Answer
from evcs.services.gateway.keys import LATER, OUTCOMES, TO_BE_TYPED, WAITS, Keys
from evcs.services.gateway.orders import ACCEPTED
from evcs.services.gateway.outside import Place
from evcs.services.gateway.station import ConnectedStation

#: What the Registry has told before who asks was answered.
HEARD_WITHIN_S = 5.0
#: What a charger has made of a stop or resume.
CONFIRMED, AWAY = "confirmed", "away"


class Asked(NamedTuple):
    """A command. `station`: None while its charger is away; `wanted()`: the CP, as it is to be."""

    cmd: m.GatewayCommand
    place: Place | None
    station: ConnectedStation | None
    keys: Keys
    wanted: Callable[[], m.DesiredCp | None]

    async def reply(self, host: str) -> m.GatewayReply:
        """The answer to it."""
        try:
            body = await self._do()
        except EvcsError as error:
            return m.GatewayReply(host, self.cmd.id, False, error.code, error.body)
        return m.GatewayReply(host, self.cmd.id, True, None, body)

    async def _do(self) -> Answer:
        if self.place is not None and self.cmd.verb == "confirm":
            return await (
                self._serves(self.place) if "revision" in self.cmd.body else self._rekey(self.place)
            )
        if self.place is None or self.station is None:
            cp = self.cmd.cp
            raise Conflict(f"the charger of {cp} is away", f"see: evcs-cp connect {cp}")
        action, payload = self._action(self.station, self.place.number)
        if not isinstance(action, str) or not isinstance(payload, dict):
            raise BadValue("an action and its fields are needed", "such as Reset type=Soft")
        try:
            found = await self.station.call(action, payload)
        except NotSendable as error:
            raise BadValue(str(error), "see the standard's schema of that action") from None
        except Refused as error:
            raise Conflict(f"the charger answered {error}", "") from None
        except NoAnswer:
            raise Unreachable("the charger does not answer", "try again in a moment") from None
        if self.cmd.verb == "restart" and found["status"] not in TAKEN:
            raise Conflict(f"the charger answered {found['status']}", "try: evcs-cp reset --hard")
        return found

    def _action(self, station: ConnectedStation, number: int) -> tuple[Any, Any]:
        """An action of its version, with its fields. Raises BadValue."""
        body = self.cmd.body
        if self.cmd.verb == "restart":
            return station.order("reset", number, {})
        if isinstance(order := body.get("order"), str):
            return station.order(order, number, body)
        return body.get("action"), body.get("payload", {})

    async def _serves(self, place: Place) -> Answer:
        """Whether the charger has confirmed a stop or resume. Raises Conflict with its word."""
        revision = self.cmd.body["revision"]
        async with asyncio.timeout(HEARD_WITHIN_S):
            while (cp := self.wanted()) is not None and cp.revision < revision:
                await asyncio.sleep(0.05)
        if self.station is None:
            return {"charger": AWAY}
        word = await self.station.service.word(place.number)
        if word != ACCEPTED:
            text = f"the charger of {self.cmd.cp} answered {word}"
            raise Conflict(text, "it is told again when it next dials in, or: evcs-cp reset")
        return {"charger": CONFIRMED}

    async def _rekey(self, place: Place) -> Answer:
        """What has become of the station's new key. Raises Conflict with its charger's word."""
        if self.station is None:
            return {"key": WAITS if len(self.keys.of(place.station)) > 1 else TO_BE_TYPED}
        word = await self.keys.give(self.station)
        if word in OUTCOMES or word in LATER:
            return {"key": word}
        text = f"the charger of {self.cmd.cp} answered {word}; its key before is good, too"
        raise Conflict(text, f"type the new one in: evcs-cp connect {self.cmd.cp}")
