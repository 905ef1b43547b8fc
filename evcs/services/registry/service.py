"""The Registry's loop: batches of changes, each one commit and one account file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, TypeVar

from evcs.core import audit, hosts, placement, stations, topics
from evcs.core import messages as m
from evcs.core.errors import EvcsError, Unreachable
from evcs.core.hosts import Hosts
from evcs.core.identities import of_host
from evcs.core.ports import Connected, Disconnected, Received, Stray
from evcs.runtime.crash_points import crash_point
from evcs.services.registry import circuits, host_news
from evcs.services.registry.accounts import Accounts
from evcs.services.registry.changes import AskedChange, Batch, Stamp
from evcs.services.registry.outside import RegistryPorts
from evcs.services.registry.senders import STATUS_KINDS, Senders

ANSWER_WITHIN_S = 30.0
LOOK_EVERY_S = 5.0
FLOODS_EVERY_S = 0.5

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("evcs")


class Registry:
    """Owns the store and the identities. `ask` is called from other threads.

    `put` has the loop handle an AskedChange; `centre`: its host, where CPs are made by default.
    """

    def __init__(
        self,
        outside: RegistryPorts,
        put: Callable[[AskedChange], None],
        centre: str,
        birth: m.ServiceStatus,
    ) -> None:
        self.bus, self._store, self._spool, self._clock = (
            outside.bus, outside.store, outside.spool, outside.clock
        )  # fmt: skip
        self.cps = self._store.cps()
        self.drivers = self._store.drivers()
        self.circuits = self._store.circuits()
        self.hosts = self._store.hosts()
        self.stations = stations.of(self.cps.values())
        self._put, self._centre, self._birth = put, centre, birth
        self._hold_broker, self._new_token = outside.hold_broker, outside.new_token
        self._check_room, self._floods = outside.check_room, outside.floods
        self._look_at = 0.0
        self._revision = self._store.revision()
        self._spool.recover(self._revision)
        self._accounts = Accounts(
            outside.secrets, outside.broker, self._clock.monotonic,
            self.cps.values(), self.drivers, self.circuits, self.hosts,
        )  # fmt: skip
        self._senders = Senders(
            self._accounts, self.bus, self._spool, centre, self._clock.monotonic
        )  # fmt: skip

    def ask(self, change: Callable[Concatenate[Batch, P], T], *args: P.args, **more: P.kwargs) -> T:
        """Have a change made by that method of a Batch; returns once it is on disk and told.

        Raises EvcsError.
        """
        return self.ask_as(audit.OPERATOR, change, *args, **more)

    def ask_as(
        self, who: str, change: Callable[Concatenate[Batch, P], T], *args: P.args, **more: P.kwargs
    ) -> T:
        """The same, by one whom the audit names."""
        answer: Future[T] = Future()
        self._put(AskedChange(lambda batch: change(batch, *args, **more), answer, who))
        try:
            return answer.result(ANSWER_WITHIN_S)
        except TimeoutError:
            raise Unreachable("the Registry is busy", "try again in a moment") from None

    def now(self) -> str:
        """The time that its changes are made at (RFC 3339 UTC)."""
        return self._clock.timestamp()

    def password_of(self, host: str) -> str:
        """A host's own, "" where there is none."""
        return self._accounts.password(of_host(host))

    def secrets_of(self, host: str) -> dict[str, str]:
        """Those of the CPs that are to run on a host, by identity."""
        mine = [cp for cp in self.cps.values() if placement.wanted_here(cp, host)]
        return self._accounts.of_cps(mine)

    def handle(self, events: list[Any]) -> float | None:
        """One batch: all its changes in one commit. Seconds to the next tick, where it is soon."""
        stamp = Stamp(self._clock.timestamp(), self._new_token)
        batch = Batch(
            self.cps, self.drivers, self.circuits, self._revision,
            Hosts(self._centre, self.hosts), stamp, self._check_room,
        )  # fmt: skip
        answers: list[tuple[Future[Any], Any]] = []
        for event in events:
            if isinstance(event, AskedChange):
                answers.append((event.answer, self._apply(batch, event)))
            elif isinstance(event, Received):
                self._on_message(batch, event.message, event.retained)
            elif isinstance(event, Stray):
                self.bus.publish(topics.clear_stray(event.topic))
            elif isinstance(event, Connected):
                self._announce()
                batch.finish_elsewhere()
            elif isinstance(event, Disconnected):
                self._accounts.broker_left()
        failure = None
        if batch.changes:
            circuits.give_fallbacks(batch)
            failure = self._commit(batch)
        for answer, result in answers:
            outcome = failure or _as_committed(batch, result)
            if isinstance(outcome, EvcsError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        return self._accounts.due_in_s

    def tick(self, now: float) -> float:
        """Shut out who floods; put right what of the identities was lost or changed by others."""
        self._senders.shut_out(self._floods())
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._accounts.look()
            self._hold_broker(len(self.cps))
        due_in_s = self._accounts.due_in_s
        return FLOODS_EVERY_S if due_in_s is None else min(due_in_s, FLOODS_EVERY_S)

    def _apply(self, batch: Batch, ask: AskedChange) -> Any:
        batch.who = ask.who
        try:
            return ask.change(batch)
        except EvcsError as error:
            return error

    def _commit(self, batch: Batch) -> EvcsError | None:
        spooled = None
        try:
            fresh = self._accounts.create(batch)
            crash_point("registry.secrets_written")
            at = self._clock.timestamp()
            spooled = self._spool.prepare((one.entry(at) for one in batch.made), batch.revision)
            crash_point("registry.audit_prepared")
            self._store.commit(
                batch.revision,
                cps=batch.cps.values(),
                gone=batch.gone,
                drivers=batch.drivers.values(),
                drivers_gone=batch.drivers_gone,
                circuits=batch.circuits.changed,
                circuits_gone=batch.circuits.gone,
                hosts=batch.hosts.changed,
                hosts_gone=batch.hosts.gone,
            )
        except (OSError, EvcsError) as error:
            if spooled is not None:
                self._spool.drop(spooled)
            self._accounts.undo(batch)
            _log.error("change refused: %s", error)
            if isinstance(error, EvcsError):
                return error
            return EvcsError(f"the Registry can't be written: {error.strerror}", "make room")
        crash_point("registry.committed")
        self._spool.made(spooled)
        crash_point("registry.audited")
        self._take_over(batch)
        self._accounts.take_over(batch, fresh)
        crash_point("registry.accounts_written")
        self._tell(batch)
        return None

    def _take_over(self, batch: Batch) -> None:
        """What is committed is now the truth."""
        gone = set(batch.gone)
        self.cps = {cp: d for cp, d in {**self.cps, **batch.cps}.items() if cp not in gone}
        left = set(batch.drivers_gone)
        self.drivers = {
            name: one for name, one in {**self.drivers, **batch.drivers}.items() if name not in left
        }
        self.circuits = dict(batch.circuits.now)
        self.hosts = dict(batch.hosts.now)
        self.stations = stations.of(self.cps.values())
        self._revision = batch.revision
        for cp in batch.created:
            _log.info("cp=%s created", cp)
        for cp in batch.rekeyed:
            _log.info("cp=%s has new secrets", cp)
        for cp in gone:
            _log.info("cp=%s gone", cp)

    def _tell(self, batch: Batch) -> None:
        for station in batch.stations:
            self.bus.publish(self.stations[station])
        for circuit in batch.circuits.changed:
            self.bus.publish(circuit)
        for cp in batch.cps.values():
            self.bus.publish(cp)
            if cp.revoked:
                for status in STATUS_KINDS:
                    self.bus.publish(topics.clear(status, cp=cp.id))
        crash_point("registry.published")
        for gone in batch.gone:
            for kind in (m.DesiredCp, *STATUS_KINDS):
                self.bus.publish(topics.clear(kind, cp=gone))
        for driver in batch.drivers.values():
            self.bus.publish(driver)
        for news in host_news.of(batch):
            self.bus.publish(news)
        if batch.gone or batch.drivers_gone or batch.circuits.gone:
            self._clear_others()

    def _announce(self) -> None:
        """At each connection: the accounts as the store has them, then all that is desired."""
        self._accounts.broker_is_there()
        self._hold_broker(len(self.cps))
        for told in (self.stations, self.circuits, self.cps, self.drivers):
            for one in told.values():
                self.bus.publish(one)
        for host in self.hosts.values():
            self.bus.publish(hosts.told(host))
        self._clear_others()
        self.bus.publish(self._birth)

    def _clear_others(self) -> None:
        """Tell of drivers, circuits and stations that they are gone, then remove their secrets.

        So a kill in between leaves a secret of nobody, and it is told at the next connection.
        """
        for kind, there, message, level in (
            ("driver", self.drivers, m.DesiredDriver, "driver"),
            ("meter", self.circuits, m.Circuit, "name"),
            ("station", self.stations, m.DesiredStation, "station"),
        ):
            for name in self._accounts.gone(kind, there):
                if self.bus.publish(topics.clear(message, **{level: name})):
                    self._accounts.remove(kind, name)

    def _on_message(
        self, batch: Batch, message: m.Message | m.Cleared, retained: bool
    ) -> None:  # fmt: skip
        left = host_news.left_behind(message, Hosts(self._centre, self.hosts))
        if left is not None:
            self.bus.publish(left)
        elif isinstance(message, STATUS_KINDS):
            if not self._senders.may_tell(message, self.cps.get(message.cp)):
                self.bus.publish(topics.clear(type(message), cp=message.cp))
        elif isinstance(message, m.StationStatus):
            if message.station not in self.stations:
                levels = {"host": message.host, "station": message.station}
                self.bus.publish(topics.clear(m.StationStatus, **levels))
            elif message.key is not None:
                self._accounts.taken(message.station, message.key)
        elif isinstance(message, m.Flood):
            self._senders.shut_out({message.identity: ""})  # Central has audited it
        elif isinstance(message, m.ReconcileReport):
            self._on_report(batch, message, retained)

    def _on_report(self, batch: Batch, report: m.ReconcileReport, retained: bool) -> None:
        known = self.cps.get(report.cp)
        if not retained and not self._senders.may_report(report, known):
            if known is None:
                self._take_away(report)
            return
        if known is not None and placement.concerns(known, report.host):
            batch.released(report)
            return
        if known is None:  # its manager has not heard that it is gone
            self.bus.publish(topics.clear(m.DesiredCp, cp=report.cp))
        self._take_away(report)  # one that ended in between would not take it back

    def _take_away(self, report: m.ReconcileReport) -> None:
        self.bus.publish(topics.clear(m.ReconcileReport, host=report.host, cp=report.cp))


def _as_committed(batch: Batch, result: Any) -> Any:
    """What a change gave, as the whole batch has it."""
    if isinstance(result, list):
        return [_as_committed(batch, one) for one in result]
    return batch.cps.get(result.id, result) if isinstance(result, m.DesiredCp) else result
