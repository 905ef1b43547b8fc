"""What a charger tells of a connector whose role is not there would be lost: it waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import TypeVar

from evcs.core.ocpp.ports import CallError
from evcs.core.ocpp.rules import Code

#: A connector whose role has ended is there again within 15 s (runtime.pool).
WITHIN_S, LOOK_S = 20.0, 0.05

F = TypeVar("F")


async def whose(look: Callable[[], F | None], away: Callable[[], Collection[bool]]) -> F | None:
    """What `look` finds, once each connector is there that it may be of.

    `away()`: of each that is not, whether it is to come. Raises CallError: the charger keeps what
    it has to tell.
    """
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while (found := look()) is None and (left := away()):
        if not any(left) or asyncio.get_running_loop().time() > deadline:
            raise CallError(Code.INTERNAL, "a connector is not served just now; tell it again")
        await asyncio.sleep(LOOK_S)
    return found
