"""The Registry's loop: batches of changes, each one commit and one account file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from evcs.adapters import broker_accounts, broker_memory, secret_files
from evcs.adapters.clock import monotonic, timestamp
from evcs.adapters.registry_db import RegistryDb
from evcs.adapters.spool import Spool
from evcs.config import Home
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import EvcsError, Unreachable
from evcs.core.ports import Bus, Connected, Disconnected, Received
from evcs.runtime.crash_points import crash_point
from evcs.services.registry.changes import Ask, Batch

ANSWER_WITHIN_S = 30.0
LOOK_EVERY_S = 5.0
SHUT_OUT_S = 30.0
STATUS_KINDS = (m.EngineStatus, m.MonitorStatus)

_log = logging.getLogger("evcs")


def accounts(home: Home, cps: dict[str, m.DesiredCp], drivers: frozenset[str]) -> dict[str, str]:
    """Identity -> password of all who may be on the bus; secrets that are missing are made."""
    names = [*secret_files.SERVICES, *(f"driver/{driver}" for driver in drivers)]
    for cp in cps.values():
        if not cp.revoked:
            names += _of(cp.id)
    return {name: secret_files.ensure(home, name) for name in names}


def _of(cp: str) -> tuple[str, str]:
    """A CP's identities."""
    return f"cp/{cp}/engine", f"cp/{cp}/monitor"


def open_store(home: Home) -> RegistryDb:
    """The home's store. One that is gone is not the same as one that never was.

    Raises EvcsError: an empty Registry beside the CPs' secrets would shut a fleet out.
    """
    if not RegistryDb.exists(home.registry_json):
        if secret_files.names(home, "cp") or secret_files.names(home, "driver"):
            raise EvcsError(
                f"{home.registry_json} and its copy are gone, but CPs or drivers have secrets",
                "restore a backup, or remove data/secrets/cp and driver to start empty",
            )
        db = RegistryDb(home.registry_json)
        db.commit(0)
        return db
    return RegistryDb(home.registry_json)


def subscriptions() -> list[topics.Subscription]:
    """What the Registry listens to."""
    return [
        *(topics.filter_for(kind) for kind in STATUS_KINDS),
        topics.subtree("manager"),
        topics.filter_for(m.Flood),
    ]


class Registry:
    """Owns the store and the identities. `ask` is called from other threads."""

    def __init__(
        self,
        home: Home,
        db: RegistryDb,
        put: Callable[[Ask], None],
        broker: broker_accounts.PasswordFile,
        host: str,
        birth: m.ServiceStatus,
        spool: Spool,
    ) -> None:
        self.cps = db.cps()
        self.drivers = frozenset(db.drivers())
        self.bus: Bus
        self._home = home
        self._db = db
        self._put = put
        self._broker = broker
        self._host = host
        self._birth = birth
        self._revision = db.revision()
        self._spool = spool
        spool.settle(self._revision)
        self._accounts_in_s: float | None = None
        #: Who floods the bus, and until when he is shut out.
        self._shut_out: dict[str, float] = {}
        # A manager takes its report back when it is told that the CP is gone; one that was
        # away just then is told again at its birth.
        self._unexplained: set[str] = set()
        self._remove_orphan_secrets()
        self._accounts = accounts(home, self.cps, self.drivers)

    def ask(self, verb: str, *args: Any) -> Any:
        """Have a change made; returns once it is on disk and told. Raises EvcsError."""
        answer: Future[Any] = Future()
        self._put(Ask(verb, args, answer))
        try:
            return answer.result(ANSWER_WITHIN_S)
        except TimeoutError:
            raise Unreachable("the Registry is busy", "try again in a moment") from None

    def handle(self, events: list[Any]) -> float | None:
        """One batch: all its changes in one commit. Seconds to the next tick, where it is soon."""
        batch = Batch(self.cps, self.drivers, self._revision, self._host)
        answers: list[tuple[Future[Any], Any]] = []
        for event in events:
            if isinstance(event, Ask):
                answers.append((event.answer, self._apply(batch, event)))
            elif isinstance(event, Received):
                self._on_message(batch, event.message)
            elif isinstance(event, Connected):
                self._announce()
                batch.finish_elsewhere()
            elif isinstance(event, Disconnected):
                self._broker.left()
                self._write_accounts()
        failure = self._commit(batch) if batch.changes else None
        for answer, result in answers:
            outcome = failure or result
            if isinstance(outcome, EvcsError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        return self._accounts_in_s

    def tick(self, _now: float) -> float:
        """Put right what of the identities was lost or changed by other hands."""
        for identity, password in self._accounts.items():
            if secret_files.restore(self._home, identity, password):
                _log.error("identity=%s had lost its secret; put back", identity)
        self._write_accounts()
        broker_memory.hold(self._home, len(self.cps))
        return LOOK_EVERY_S if self._accounts_in_s is None else self._accounts_in_s

    def _apply(self, batch: Batch, ask: Ask) -> Any:
        try:
            return batch.apply(ask.verb, *ask.args)
        except EvcsError as error:
            return error

    def _commit(self, batch: Batch) -> EvcsError | None:
        made = [who for cp in {**dict.fromkeys(batch.created), **batch.rekeyed} for who in _of(cp)]
        made += [f"driver/{driver}" for driver in batch.drivers]
        told = None
        try:
            fresh = {identity: secret_files.create(self._home, identity) for identity in made}
            crash_point("registry.secrets_written")
            at = timestamp()
            told = self._spool.prepare((one.entry(at) for one in batch.told), batch.revision)
            crash_point("registry.audit_prepared")
            self._db.commit(
                batch.revision, batch.cps.values(), batch.gone, batch.drivers, batch.drivers_gone
            )
        except (OSError, EvcsError) as error:
            if told is not None:
                self._spool.drop(told)
            self._undo_secrets(batch)
            _log.error("change refused: %s", error)
            if isinstance(error, EvcsError):
                return error
            return EvcsError(f"the Registry can't be written: {error.strerror}", "make room")
        crash_point("registry.committed")
        self._spool.made(told)
        crash_point("registry.audited")
        self._take_over(batch, fresh)
        self._write_accounts()
        crash_point("registry.accounts_written")
        self._tell(batch)
        return None

    def _undo_secrets(self, batch: Batch) -> None:
        for cp in batch.created:
            secret_files.remove(self._home, f"cp/{cp}")
        for driver in batch.drivers:
            secret_files.remove(self._home, f"driver/{driver}")
        # On a disk that takes nothing the new ones stay; the next tick puts the old ones back.
        with suppress(OSError):
            for identity in (who for cp in batch.rekeyed for who in _of(cp)):
                if identity in self._accounts:
                    secret_files.restore(self._home, identity, self._accounts[identity])

    def _take_over(self, batch: Batch, fresh: dict[str, str]) -> None:
        """What is committed is now the truth; identities follow from it."""
        gone = set(batch.gone)
        self.cps = {cp: d for cp, d in {**self.cps, **batch.cps}.items() if cp not in gone}
        self.drivers = (self.drivers | set(batch.drivers)) - set(batch.drivers_gone)
        self._revision = batch.revision
        self._accounts.update(fresh)
        for cp in {*gone, *(one.id for one in batch.cps.values() if one.revoked)}:
            for identity in _of(cp):
                self._accounts.pop(identity, None)
        for cp in gone:
            secret_files.remove(self._home, f"cp/{cp}")
        for driver in batch.drivers_gone:
            self._accounts.pop(f"driver/{driver}", None)
            secret_files.remove(self._home, f"driver/{driver}")
        for cp in batch.created:
            _log.info("cp=%s created", cp)
        for cp in batch.rekeyed:
            _log.info("cp=%s has new secrets", cp)
        for cp in gone:
            _log.info("cp=%s gone", cp)

    def _write_accounts(self) -> None:
        now = monotonic()
        self._shut_out = {who: until for who, until in self._shut_out.items() if until > now}
        self._accounts_in_s = self._broker.keep(
            {who: word for who, word in self._accounts.items() if who not in self._shut_out}
        )

    def _tell(self, batch: Batch) -> None:
        for cp in batch.cps.values():
            self.bus.publish(cp)
            if cp.revoked:
                for status in STATUS_KINDS:
                    self.bus.publish(topics.clear(status, cp=cp.id))
        crash_point("registry.told")
        for gone in batch.gone:
            self._unexplained.add(gone)
            for kind in (m.DesiredCp, *STATUS_KINDS):
                self.bus.publish(topics.clear(kind, cp=gone))

    def _announce(self) -> None:
        """At each connection: the accounts as the store has them, then all that is desired."""
        # An earlier run, or this one, may have lost the broker between the file and its reading.
        self._broker.read_again()
        self._write_accounts()
        broker_memory.hold(self._home, len(self.cps))
        for cp in self.cps.values():
            self.bus.publish(cp)
        self.bus.publish(self._birth)

    def _on_message(self, batch: Batch, message: m.Message | m.Cleared) -> None:
        if isinstance(message, STATUS_KINDS):
            known = self.cps.get(message.cp)
            if known is None or known.revoked:
                self.bus.publish(topics.clear(type(message), cp=message.cp))
        elif isinstance(message, m.Flood):
            self._shut_out[message.identity] = monotonic() + SHUT_OUT_S
            _log.error("%s floods the bus; shut out for %d s", message.identity, SHUT_OUT_S)
            self._write_accounts()
        elif isinstance(message, m.ReconcileReport):
            self._on_applied(batch, message)
        elif isinstance(message, m.Cleared) and message.kind is m.ReconcileReport:
            self._unexplained.discard(message.key["cp"])
        elif isinstance(message, m.ServiceStatus) and message.online:
            for cp in self._unexplained:
                self.bus.publish(topics.clear(m.DesiredCp, cp=cp))

    def _on_applied(self, batch: Batch, applied: m.ReconcileReport) -> None:
        known = self.cps.get(applied.cp)
        if known is None:
            self._unexplained.add(applied.cp)
            self.bus.publish(topics.clear(m.DesiredCp, cp=applied.cp))
        elif (
            known.deleted
            and applied.ok
            and applied.host == known.host
            and applied.revision >= known.revision
            and applied.cp not in batch.gone
        ):
            batch.apply("finish_delete", applied.cp)

    def _remove_orphan_secrets(self) -> None:
        """A kill between a secret and its commit leaves a secret of nobody."""
        for cp in set(secret_files.names(self._home, "cp")) - set(self.cps):
            secret_files.remove(self._home, f"cp/{cp}")
        for driver in set(secret_files.names(self._home, "driver")) - self.drivers:
            secret_files.remove(self._home, f"driver/{driver}")
