"""What a connector may take, told to its charger; what that has confirmed is what holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core import supply as s
from evcs.core.limits import Limit
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance
from evcs.core.ports import Log
from evcs.services.gateway.orders import ACCEPTED, ConnectedCharger, word_of
from evcs.services.gateway.tasks import Tasks
from evcs.services.gateway.voice import Voice

#: So often a charger that refuses to clear what it may have is told to, and what it answers else.
CLEAR_TRIES = 3
CLEARED = frozenset({ACCEPTED, "Unknown"})


class LimitParts(NamedTuple):
    """What limits work with. `told(limit_w, fallback_w)`: that is confirmed. `refused(error)`: it
    has not taken the last that it was told, None: it has."""

    now: Callable[[], datetime]
    told: Callable[[int | None, int | None], None]
    refused: Callable[[str | None], None]
    log: Log


class Limits:
    """Of one connector: the fallback once in a connection, the limit while there is a charge.

    One is told at a time; of those that come meanwhile, the last. `most_w()`: what its CP can give.
    """

    def __init__(
        self, connector: int, most_w: Callable[[], int], voice: Voice, parts: LimitParts
    ) -> None:
        self._connector, self._most_w, self._voice = connector, most_w, voice
        self._parts, self._tasks = parts, Tasks(parts.log)
        self._charger: ConnectedCharger | None = None
        self._default: Allowance | None = None
        self._limit: Limit | None = None
        self._next: m.Command | None = None
        self._busy = False
        #: So often it is still to be told that it has none of old.
        self._tries = 0
        #: The charge for which it has refused the last that it was told.
        self._refused_in: int | None = None
        self._transaction: Callable[[], t.Transaction | None] = lambda: None

    def connected(
        self,
        charger: ConnectedCharger,
        transaction: Callable[[], t.Transaction | None],
        is_limited: bool,
    ) -> None:
        """The charger is there; `transaction()`: the one under way. What it has is not known.

        One that is in no circuit may have limits of a time when it was.
        """
        self._charger, self._transaction = charger, transaction
        self._default = self._limit = None
        self._tries = 0 if is_limited else CLEAR_TRIES

    def left(self) -> None:
        """The charger is away."""
        self._charger = None
        self._parts.told(None, None)

    def take(self, cmd: m.Command) -> None:
        """A limit is to hold; the reply comes once the charger has answered."""
        self._tries = 0
        if self._next is not None:
            self._voice.reply(self._next, "overtaken")
        self._next = cmd
        if not self._busy:
            self._busy = True
            self._tasks.do(self._work())

    def look(self) -> None:
        """Now and then. One that was not told again has run out at the charger."""
        if self._tries and not self._busy:
            self._tasks.do(self._clear_old())
        if self._limit is None:
            return
        after = self._limit.now(self._parts.now().timestamp())
        if after.max_power_w != self._limit.max_power_w:
            self._parts.told(after.max_power_w, after.fallback_w)
        self._limit = after

    def close(self) -> None:
        """Nothing more is done."""
        self._tasks.close()

    async def _work(self) -> None:
        try:
            while (cmd := self._next) is not None:
                self._next = None
                self._voice.reply(cmd, await self._carry_out(cmd))
        finally:
            self._busy = False

    async def _clear_old(self) -> None:
        """A charger may refuse all before it has said who it is: then again at the next look."""
        charger, self._tries = self._charger, self._tries - 1
        if charger is not None and await word_of(charger.clear_limits(self._connector)) in CLEARED:
            self._tries = 0

    async def _carry_out(self, cmd: m.Command) -> str | None:
        """Tell the charger; why that was not to be done."""
        charger = self._charger
        if charger is None:
            return "the charger is away"
        try:
            limit = s.limit_of(cmd)
        except ValueError:
            return s.Refusal.BAD_COMMAND
        if limit is None:
            word = await word_of(charger.clear_limits(self._connector))
            self._default = self._limit = None
            self._parts.told(None, None)
            self._parts.refused(None)
            return None if word in CLEARED else _refusal(word)
        error = await self._set(charger, limit)
        if error is not None:
            self._parts.log.error("limit_w=%d: %s", limit.max_power_w, error)
        return error

    async def _set(self, charger: ConnectedCharger, limit: Limit) -> str | None:
        default = Allowance(self._connector, limit.fallback_w, self._most_w(), charger.rate_unit)
        if self._default != default:
            word = await word_of(charger.set_limit(default))
            if word != ACCEPTED:
                return self._refused(charger, word)
            self._default = default
        limit = limit._replace(at=self._parts.now().timestamp())
        one, in_force = self._transaction(), limit.fallback_w
        if one is not None:
            above = limit.max_power_w > limit.fallback_w
            word = await word_of(charger.set_limit(default._replace(
                limit_w=limit.max_power_w, transaction=one.key or one.id, at=self._parts.now(),
                for_s=limit.for_s if above else 2 * limit.for_s,
            )))  # fmt: skip
            if word != ACCEPTED:
                # One that has just ended can have none: it is told so once more.
                once, self._refused_in = self._refused_in != one.id, one.id
                return _refusal(word) if once else self._refused(charger, word)
            in_force, self._refused_in = limit.max_power_w, None
        if charger is self._charger:
            self._limit = limit
            self._parts.told(in_force, limit.fallback_w)
            if self._refused_in is None:
                self._parts.refused(None)
        return None

    def _refused(self, charger: ConnectedCharger, word: str) -> str:
        if charger is self._charger:
            self._parts.refused(_refusal(word))
        return _refusal(word)


def _refusal(word: str) -> str:
    return f"the charger answered {word}"[:200]
