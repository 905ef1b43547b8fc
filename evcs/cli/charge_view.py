"""A charge as it goes on: a bar on a terminal, plain lines where it is piped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from typing import Any, Self

from evcs.cli.common import CommandContext, kw, kwh
from evcs.cli.terminal import shown
from evcs.core import messages as m
from evcs.core.cp_row import stopped_too
from evcs.core.end_reasons import in_words
from evcs.core.ocpp.back_end import AWAY, REFUSED
from evcs.core.session import WAITING_FOR_POWER


def show(ctx: CommandContext, event: m.DriverEvent) -> None:
    """One event as a line."""
    body = {"event": event.event, "session_id": event.session_id, **event.body}
    tell = ctx.out.data if event.event == "ticket" else ctx.out.done
    tell(body, line(event))


def line(event: m.DriverEvent) -> str:
    b = event.body
    where = f"{b.get('cp')} {event.session_id}"
    if event.event == "authorised":
        return f"authorised at {where}: {kwh(b['requested_wh'])} at {b['price_eur_kwh']} EUR/kWh"
    if event.event == "progress":
        return f"{kw(b['power_w'])}  {kwh(b['energy_wh'])}  {b['cost_eur']} EUR{_waits(b)}"
    if event.event == "ticket":
        return (
            f"ticket {event.session_id}: {b['cp']}, {kwh(b['energy_wh'])}, "
            f"{b['cost_eur']} EUR, {in_words(b['reason'])}"
        )
    return f"{event.event} at {where}"


def _waits(body: Mapping[str, Any]) -> str:
    waits = waiting(body.get("reason"), body.get("wait_s"))
    return f"  {waits}" if waits else ""


def waiting(reason: str | None, wait_s: int | None) -> str:
    """Why nothing flows, and for about how long; empty where it is not for want of power."""
    if reason != WAITING_FOR_POWER:
        return ""
    return WAITING_FOR_POWER + (f", about {ceil(wait_s / 60)} min" if wait_s else "")


#: What a CP's charger has of its back end, where that is not what it should be.
BACK_END = {AWAY: "its back end is away", REFUSED: "its back end refuses it"}


def why(cp: Mapping[str, Any]) -> str:
    """A CP's reason; where it has none, what its back end or its circuit keeps it from."""
    session = cp["session"]
    if not cp["reason"] and (hindered := BACK_END.get(cp["backend_state"])):
        return hindered
    if session is None or (cp["reason"] and cp["reason"] != WAITING_FOR_POWER):
        return cp["reason"] or ""
    limit_w = session["limit_w"]
    if waits := waiting(cp["reason"], session["wait_s"]):
        return waits
    if limit_w is None or limit_w >= cp["max_power_w"]:
        return ""
    took = f"limit {kw(limit_w)} of" if limit_w else "no power now in"
    return f"{took} circuit {cp['circuit']}"


def both(cp: Mapping[str, Any], reason: str) -> str:
    """The reason; of a CP that is broken down and stopped, too, the other one with it."""
    return "; ".join(filter(None, (reason, stopped_too(cp))))


def limited(limit_w: int) -> str:
    """A session's limit for people: none is not off."""
    return kw(limit_w) if limit_w else f"no power now; {WAITING_FOR_POWER}"


def shown_after(session: Mapping[str, Any]) -> str:
    """How long a reading took to show a session's limit, once that was lowered; empty before."""
    took_s = session["limit_shown_s"]
    return f", shown {took_s} s after it was lowered" if took_s and session["limit_w"] else ""


LINE_EVERY_S = 5.0


class Lines:
    """Events as plain lines; progress at most each five seconds."""

    def __init__(self, ctx: CommandContext) -> None:
        self._ctx, self._shown_at = ctx, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, event: m.DriverEvent) -> None:
        """Show an event."""
        now = time.monotonic()
        flows = event.body.get("power_w") or _waits(event.body)
        soon = now - self._shown_at < LINE_EVERY_S or not flows
        if event.event == "progress" and not self._ctx.out.json and soon:
            return
        self._shown_at = now
        show(self._ctx, event)


class Bar(Lines):
    """A bar with kW, kWh, EUR and the time left."""

    def __init__(self, ctx: CommandContext, requested_wh: int) -> None:
        super().__init__(ctx)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bar = Progress(
            BarColumn(), TextColumn("{task.percentage:>3.0f} %  {task.description}", markup=False),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=requested_wh)
        self._requested = requested_wh

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, event: m.DriverEvent) -> None:
        if event.event != "progress":
            if event.event == "ticket":
                self._bar.stop()
                show(self._ctx, event)
            else:
                self._bar.console.print(shown(line(event)), highlight=False, markup=False)
            return
        b = event.body
        left = ""
        if b["power_w"]:
            minutes = (self._requested - b["energy_wh"]) * 60 / b["power_w"]
            left = f"  about {max(minutes, 0.1) / self._ctx.settings.time_scale:.1f} min left"
        self._bar.update(
            self._task, completed=b["energy_wh"], description=shown(line(event) + left)
        )


def view_of(ctx: CommandContext, first: m.DriverEvent) -> Lines:
    requested = first.body.get("requested_wh", 0)
    return Bar(ctx, int(str(requested))) if ctx.out.on_terminal else Lines(ctx)


def eur(cost_eur: str | None) -> str:
    """A cost for people; nothing of a charge that costs elsewhere."""
    return "" if cost_eur is None else f"{cost_eur} EUR"
