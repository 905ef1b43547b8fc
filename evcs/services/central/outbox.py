"""Carries effects out; what is to be told goes out once all is committed that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evcs.core import effects as e
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.asked_messages import SIMULATED
from evcs.core.ports import Bus
from evcs.core.session import Session
from evcs.runtime.crash_points import crash_point
from evcs.services.central.entries import Entries
from evcs.services.central.ledger_writer import LedgerWriter

#: Commands that need nothing to be in the ledger first: a start's request is there already, or the
#: start was dropped with it.
REST_ON_NOTHING = frozenset({"start", "resume", "stop", "limit", "present", "backend", *SIMULATED})
#: Nor do these. What is in none of the two waits.
STATES = (
    m.CpState, m.CircuitState, m.HostState, m.ServiceStatus, m.ManagerCommand, m.GatewayCommand,
    topics.Publication,
)  # fmt: skip


class Outbox:
    """Messages, in order; `commit` has all else written, and then sends them."""

    def __init__(
        self, writer: LedgerWriter, entries: Entries, bus: Bus,
        on_ask: Callable[[m.Command | m.ManagerCommand], object],
    ) -> None:  # fmt: skip
        self._writer, self._entries, self._bus = writer, entries, bus
        self._on_ask = on_ask
        self._out: list[m.Message | topics.Publication] = []
        self._progress: set[str] = set()
        self._does: dict[type, Callable[[Any], object]] = {
            e.Save: lambda one: writer.save(one.session),
            e.SaveFigures: lambda one: writer.save_later(one.session),
            e.Remove: lambda one: writer.remove(one.session.session_id),
            e.KeepAnswer: lambda one: writer.keep_answer(one.request_id, one.answer),
            e.Progress: lambda one: self._progress.add(one.session_id),
            e.Send: lambda one: self.publish(one.message),
            e.SendNow: lambda one: self._send(one.message),
            e.Audit: entries.add,
            e.Refuse: entries.refuse,
            e.Unexpected: entries.unexpected,
        }

    def carry_out(self, effects: Iterable[e.Effect]) -> None:
        """Have done what was decided, in order."""
        for effect in effects:
            self._does[type(effect)](effect)

    def carry_out_now(self, effects: Iterable[e.Effect]) -> bool:
        """Have written and told at once what was decided; nothing of it where it can't be written.

        Nothing else may wait: call `commit` before.
        """
        self.carry_out(effects)
        written = self._writer.commit_or_drop()
        out, self._out = self._out, []
        for message in out if written else ():
            self._send(message)
        return written

    def publish(self, message: m.Message | topics.Publication) -> None:
        """Have a message sent once all is written."""
        self._out.append(message)

    def forget_driver(self, driver: str, pseudonym: str) -> None:
        """Have a pseudonym written in a driver's place, and the name nowhere any more."""
        self._entries.forget(f"driver/{driver}")
        self._writer.forget_driver(driver, pseudonym)

    def take_progress(self) -> set[str]:
        """Ids of sessions that were read since the last call."""
        taken, self._progress = self._progress, set()
        return taken

    def commit(self) -> Sequence[Session]:
        """Write, then tell. Returns the requests that could not be written."""
        self._bus.flush()  # what waits for nothing: a commit takes the disk's time
        result = self._writer.commit()
        if gone := result.unwritten:
            self._out = [one for one in self._out if getattr(one, "session_id", None) not in gone]
        waiting: list[m.Message | topics.Publication] = []
        for message in self._out:
            if self._writer.failing and not self._stands_alone(message):
                waiting.append(message)
            else:
                self._send(message)
        self._out = waiting
        return result.refused

    def _send(self, message: m.Message | topics.Publication) -> None:
        if isinstance(message, m.ManagerCommand) or (
            isinstance(message, m.Command) and message.verb == "start"
        ):
            self._on_ask(message)
        self._bus.publish(message)
        crash_point("central.published")

    def _stands_alone(self, message: m.Message | topics.Publication) -> bool:
        """Whether a message says nothing that has to be in the ledger first."""
        if isinstance(message, m.DriverEvent):
            return message.event in ("progress", "answer", "denied")
        if isinstance(message, m.OperatorEvent):
            return not self._writer.forgetting
        if isinstance(message, m.StationAnswer):
            return message.session_id is None
        if isinstance(message, m.Command):
            return message.verb in REST_ON_NOTHING
        return isinstance(message, STATES)
