"""A CP's Engine: drives a charger at Central's command and tells what it meters.

What it holds is in its journal before anyone is told. It never ends a supply because
someone else is away; only its charger, Central's word and a refusal by the broker (a
revoked identity) do.
"""

from __future__ import annotations

from typing import Any

from evcs.core import messages as m
from evcs.core import supply as s
from evcs.core import topics
from evcs.core.asked_messages import SIMULATED
from evcs.core.charger import Charger, Reading
from evcs.core.end_reasons import EndReason
from evcs.core.health import EngineAnswer
from evcs.core.limits import Limit
from evcs.core.ports import Bus, Connected, Disconnected, JournalStore, Log, Received
from evcs.runtime.crash_points import fail_point

TICK_S = 1.0
#: There is nothing to meter and nothing to tell.
IDLE_S = 3_600.0
TELL_AGAIN_EVERY = 5


def subscriptions(cp: str, *answers: type) -> list[topics.Subscription]:
    """What an Engine listens to. `answers`: to what it asks, if its charges are not Central's."""
    of_cp = [topics.filter_for(kind, cp=cp) for kind in (m.Command, *answers)]
    return [*of_cp, topics.central_status()]


def will(cp: str, boot: str) -> topics.Publication:
    """What the broker says when it is gone."""
    return topics.encode(m.EngineStatus(cp, False, boot), None)


class Engine:
    """One CP's Engine; all its state is here, its journal and its charger."""

    def __init__(
        self, cp: str, boot: str, bus: Bus, journal: JournalStore, charger: Charger, log: Log
    ) -> None:
        fail_point("engine.made", cp)
        self._cp, self._boot, self._log = cp, boot, log
        self._bus, self._journal, self._charger = bus, journal, charger
        self._supply = s.from_record(journal.last(s.is_record))
        self._unsaved = False
        self._ready = self._status_due = False
        self._central: bool | None = None
        self._stepped_at: float | None = None
        self._ticks = 0
        self._limit: Limit | None = None
        if self._supply.fallback_w is not None:
            self._take_limit(Limit(self._supply.fallback_w, self._supply.fallback_w))
        if self._supply.fault is not None:
            charger.set_fault(self._supply.fault)
            self._log.warning("fault=%s found in the journal", self._supply.fault)
        if self._supply.session_id is not None:
            charger.plug()
            self._log.info("session=%s found in the journal", self._supply.session_id)
        self._answer = self._health()

    def handle(self, events: list[Any]) -> float | None:
        """One batch of events; how soon to tick, where that is sooner than it was asked for."""
        idle, limit, self._status_due = self._is_idle, self._limit, False
        for event in events:
            if isinstance(event, Received):
                self._on_message(event.message)
            elif isinstance(event, Connected):
                fail_point("engine.connected", self._cp)
                self._tell_session()
                self._ready = self._status_due = True
            elif isinstance(event, Disconnected):
                self._on_disconnected(event)
        if self._status_due:
            self._tell_status()
        self._answer = self._health()
        if idle and (not self._is_idle or self._limit is not limit):
            return 0.0
        return None

    def tick(self, now: float) -> float:
        """Once a second: let the charger run, meter, tell what is not settled again."""
        fail_point("engine.tick", self._cp)
        before, self._stepped_at = self._stepped_at, now
        self._ticks += 1
        self._look_at_limit(now)
        if self._supply.phase == s.SupplyPhase.SUPPLYING:
            if before is not None:
                self._meter(self._charger.step(now - before))
        elif self._unsaved:
            self._keep(self._supply, sync=True)
            self._tell_session()
        elif self._supply.phase == s.SupplyPhase.ENDED and self._ticks % TELL_AGAIN_EVERY == 0:
            self._tell_session()
        self._answer = self._health()
        if not self._is_idle:
            return TICK_S
        self._stepped_at = None
        runs_out = self._limit and self._limit.runs_out
        return IDLE_S if runs_out is None else max(runs_out - now, TICK_S)

    @property
    def _is_idle(self) -> bool:
        return self._supply.phase == s.SupplyPhase.IDLE and not self._unsaved

    def _on_message(self, message: m.Message | m.Cleared) -> None:
        if isinstance(message, m.Command):
            self._on_command(message)
        elif isinstance(message, m.ServiceStatus) and message.online != self._central:
            self._central = message.online
            self._status_due = True

    def _on_command(self, cmd: m.Command) -> None:
        fail_point("engine.command", self._cp)
        error: str | None = None
        if cmd.verb in SIMULATED:
            self._simulate(cmd)
        elif cmd.verb in ("start", "resume", "stop", "settled"):
            outcome = s.command(self._supply, cmd, self._charger.fault)
            error = outcome.error
            if outcome.supply != self._supply and not self._change(outcome.supply):
                error = s.Refusal.DISK_FULL
        elif cmd.verb == "limit":
            error = self._on_limit(cmd)
        else:
            error = s.Refusal.BAD_COMMAND
        self._bus.publish(m.Reply(self._cp, cmd.id, error is None, error))
        if error is None and cmd.verb in ("start", "stop"):
            self._tell_session()
        self._status_due |= cmd.verb != "limit"

    def _on_limit(self, cmd: m.Command) -> str | None:
        """What it may take from now on; the fallback is on disk before that is told."""
        try:
            limit = s.limit_of(cmd)
        except ValueError:
            return s.Refusal.BAD_COMMAND
        before = self._supply
        self._take_limit(limit)
        after = self._supply
        self._status_due |= after != before
        if after.fallback_w != before.fallback_w and not self._keep(after, sync=True):
            return s.Refusal.DISK_FULL
        return None

    def _take_limit(self, limit: Limit | None) -> None:
        self._limit, self._supply = limit, s.limited(self._supply, limit)
        self._charger.set_limit(self._supply.limit_w)

    def _look_at_limit(self, now: float) -> None:
        """One that is not told again runs out; its time counts from the first look at the clock."""
        if self._limit is None:
            return
        limit = self._limit if self._limit.at is not None else self._limit._replace(at=now)
        limit, before = limit.now(now), self._supply.limit_w
        if limit is self._limit:
            return
        self._take_limit(limit)
        if self._supply.limit_w != before:
            self._log.warning("limit_w=%s, not told again for long", self._supply.limit_w)
            self._tell_status()

    def _simulate(self, cmd: m.Command) -> None:
        if cmd.verb == "plug":
            self._charger.plug()
        elif cmd.verb == "unplug":
            self._charger.unplug()
            self._change(s.end(self._supply, EndReason.UNPLUGGED))
        elif cmd.verb == "fault":
            fault = cmd.reason or "fault"
            self._charger.set_fault(fault)
            self._change(s.break_down(self._supply, fault))
            self._log.warning("fault=%s set", fault)
        else:
            self._charger.set_fault(None)
            self._change(self._supply._replace(fault=None))
            self._log.info("fault cleared")
        if self._supply.phase == s.SupplyPhase.ENDED:
            self._tell_session()

    def _change(self, after: s.Supply) -> bool:
        """Take over another supply: journal, contactor. False where it can't be begun."""
        before = self._supply
        if after == before:
            return True
        kept = self._keep(after, sync=True)
        # A fault holds at once, written or not: what is broken must not supply.
        if not kept and before.phase == s.SupplyPhase.IDLE and after.fault == before.fault:
            self._supply, self._unsaved = before, False
            return False
        if after.phase == s.SupplyPhase.SUPPLYING:
            self._charger.plug()
            self._charger.close_contactor(after.target_wh, after.max_power_w, after.energy_wh)
        elif before.phase == s.SupplyPhase.SUPPLYING:
            self._charger.open_contactor()
            if after.fallback_w is not None:  # the next supply begins with a limit of its own
                self._take_limit(Limit(after.fallback_w, after.fallback_w))
        if after.phase == s.SupplyPhase.IDLE != before.phase:
            self._charger.unplug()
        if before.phase != after.phase:
            session = after.session_id or before.session_id
            self._log.info(
                "session=%s energy_wh=%d %s %s",
                session, max(after.energy_wh, before.energy_wh), after.phase, after.reason or "",
            )  # fmt: skip
        return True

    def _meter(self, reading: Reading) -> None:
        metered = s.metered(self._supply, reading.energy_wh)
        self._keep(metered, sync=False)
        self._bus.publish(
            m.Meter(
                self._cp, str(metered.session_id), metered.seq, metered.energy_wh,
                reading.power_w, reading.voltage_v, reading.current_a, metered.limit_w,
            )
        )  # fmt: skip
        if reading.full:
            self._change(s.end(self._supply, EndReason.COMPLETED))
            self._tell_session()
            self._tell_status()

    def _keep(self, supply: s.Supply, sync: bool) -> bool:
        """Journal a supply and hold it. A full disk doesn't stop a charge; it is tried again."""
        self._supply = supply
        try:
            self._journal.append(s.to_record(supply), sync)
        except OSError as error:
            if not self._unsaved:
                self._log.error("the journal can't be written (%s); make room", error.strerror)
            self._unsaved = True
            return False
        self._unsaved = False
        return True

    def _on_disconnected(self, event: Disconnected) -> None:
        self._central = None
        if event.refused and self._supply.phase in (s.SupplyPhase.SUPPLYING, s.SupplyPhase.WAITING):
            self._log.error("%s: contactor opened", event.reason)
            self._change(s.end(self._supply, EndReason.REVOKED))
        else:
            self._log.warning("bus: %s", event.reason)

    def _tell_session(self) -> None:
        supply = self._supply
        if supply.session_id is None or self._unsaved or supply.phase == s.SupplyPhase.WAITING:
            return
        event = "ended" if supply.phase == s.SupplyPhase.ENDED else "started"
        self._bus.publish(
            m.SessionEvent(
                self._cp, event, supply.session_id, supply.seq, supply.energy_wh, supply.reason
            )
        )

    def _tell_status(self) -> None:
        self._bus.publish(
            m.EngineStatus(
                self._cp, True, self._boot, self._supply.phase, self._charger.plugged,
                self._supply.session_id, self._charger.fault, self._central,
                self._supply.limit_w, self._supply.fallback_w,
            )
        )  # fmt: skip

    def health(self) -> EngineAnswer:
        """What its Monitor and the CP Manager want to know."""
        fail_point("engine.health", self._cp)
        return self._answer

    @property
    def is_ready(self) -> bool:
        """Whether it has told its state on the bus."""
        return self._ready

    def _health(self) -> EngineAnswer:
        supplying = self._supply.phase == s.SupplyPhase.SUPPLYING
        return EngineAnswer(self._charger.fault, self._ready, self._supply.session_id, supplying)
