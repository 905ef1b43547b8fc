"""A driver's connection to Central: requests, their answers, and a session's events."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, Self

from evcs.cli import names
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BY_CODE, Denied, EvcsError, NotFound, Unreachable
from evcs.core.ids import check_id
from evcs.core.patience import ON_MAIN

ANSWER_WITHIN_S = 15.0
#: So long Central has an Engine begin a charge; who left sooner would be charged all the same.
CHARGE_WITHIN_S = ON_MAIN.start_within_s + 5.0
AGAIN_S = 2.0
SILENCE_S = 3.0

Body = dict[str, Any]


class DriverClient:
    """A driver's connection: requests out, events in."""

    def __init__(self, ctx: CommandContext, driver: str) -> None:
        self.driver = check_id("driver", driver)
        if not ctx.settings.home.secret(f"driver/{driver}").exists():
            raise names.no_driver(driver, names.drivers(ctx.settings.home))
        self._home = ctx.settings.home
        self._probe = BusProbe(
            ctx.settings, [topics.filter_for(m.DriverEvent, driver=driver)], f"driver/{driver}"
        )

    def __enter__(self) -> Self:
        self._probe.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._probe.__exit__()

    def pages(self, verb: str, name: str) -> list[Body]:
        """All rows of a list that Central answers page by page. Raises what denies it."""
        rows: list[Body] = []
        after: str | None = None
        while True:
            body = self.ask(verb, after=after).body
            rows += body[name]
            if not body.get("more"):  # a Central of an older version tells all at once
                return rows
            after = body["next"]

    def ask(
        self, verb: str, cp: str | None = None, energy_wh: int | None = None,
        after: str | None = None,
    ) -> m.DriverEvent:  # fmt: skip
        """Send a request and return the first event that answers it. Raises what denies it."""
        asked = m.DriverRequest(self.driver, verb, os.urandom(8).hex(), cp, energy_wh, after)
        found: list[m.DriverEvent] = []

        def take(message: m.Message | m.Cleared) -> bool:
            if isinstance(message, m.DriverEvent) and message.id == asked.id:
                found.append(message)
            return bool(found)

        # Central may leave out who asks for page after page: it is asked again.
        within_s = CHARGE_WITHIN_S if verb == "charge" else ANSWER_WITHIN_S
        once = within_s if after is None else AGAIN_S
        deadline = time.monotonic() + within_s
        while not self._probe.ask([asked], take, once):
            if time.monotonic() >= deadline:
                hint = f"should it begin: evcs-driver stop --driver {self.driver}"
                raise Unreachable(f"no answer to {verb}", hint if verb == "charge" else
                                  "is the CP there? see: evcs-cp list")  # fmt: skip
        if found[0].event == "denied":
            raise self._denial(found[0], cp)
        return found[0]

    def _denial(self, event: m.DriverEvent, cp: str | None) -> EvcsError:
        """What denies a request, with the CP that may have been meant."""
        error = denial(event)
        if isinstance(error, NotFound) and cp is not None:
            error.hint = names.hint(cp, names.cps(self._home), error.hint)
        return error

    def follow(self, session_id: str) -> Iterator[m.DriverEvent]:
        """A session's events up to its ticket; one that was missed is asked for."""
        heard_at = time.monotonic()
        while True:
            message = self._probe.next(heard_at + SILENCE_S)
            if message is None and time.monotonic() - heard_at >= SILENCE_S:
                self._probe.publish(m.DriverRequest(self.driver, "history", os.urandom(8).hex()))
                heard_at = time.monotonic()
            event = _of_session(message, session_id)
            if event is not None:
                heard_at = time.monotonic()
                yield event
                if event.event in ("ticket", "denied"):
                    return


def _of_session(message: object, session_id: str) -> m.DriverEvent | None:
    """What a message says of a session: an event of it, or its ticket in a history."""
    if not isinstance(message, m.DriverEvent):
        return None
    if message.session_id == session_id:
        return message
    rows = message.body.get("sessions")
    for row in rows if isinstance(rows, list) else ():
        if row["session_id"] == session_id and row["state"] == "settled":
            return m.DriverEvent(message.driver, "ticket", None, session_id, row)
    return None


def denial(event: m.DriverEvent) -> EvcsError:
    """The error that a denied event stands for."""
    kind = BY_CODE.get(str(event.body.get("code", "")), Denied)
    cp = event.body.get("cp")
    where = f" at {cp}" if cp else ""
    hint = f"see: evcs-driver list --driver {event.driver}" if cp else ""
    return kind(f"denied{where}: {event.body.get('reason', '')}", hint)
