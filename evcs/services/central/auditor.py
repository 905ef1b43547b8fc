"""What goes into the audit by itself: what other services tell, refused logins, faults."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from evcs.core import audit
from evcs.core.charge_point import State
from evcs.core.effects import Audit
from evcs.core.messages import NOTHING, CpState
from evcs.core.ports import Clock
from evcs.services.central.entries import Entries
from evcs.services.central.ledger_writer import LedgerWriter
from evcs.services.central.standing import is_passing
from evcs.services.central.strangers import Strangers

#: What is noted in the ledger, beside the names of each spool's files and `audit.BROKER_LOG`.
LEFT_OUT = "refused_logins"
BROKER = "broker"

_log = logging.getLogger("evcs")


class LogSource(Protocol):
    """A log that is followed; adapters.log_tailer has it."""

    @property
    def cursor(self) -> str: ...

    @property
    def behind(self) -> bool: ...

    def read(self) -> list[audit.AuditEntry]: ...


class SpoolSource(Protocol):
    """What a service has for the audit; adapters.spool has it."""

    def waiting(self) -> list[str]: ...

    def read(self, name: str) -> list[audit.AuditEntry]: ...

    def quarantine(self, name: str) -> object: ...

    def cut(self, names: Sequence[str]) -> None: ...


class Sources(NamedTuple):
    """`broker`: follows the broker's log from a cursor on. `spools`: those of services, by name."""

    broker: Callable[[str], LogSource] | None = None
    spools: Mapping[str, SpoolSource] = NOTHING


NO_SOURCES = Sources()


class Auditor:
    """Takes up, once each.

    The names of a spool's files are noted in the transaction that has their entries, and stay
    noted until the files are cut for good: so a kill neither loses nor doubles one.
    """

    def __init__(
        self, writer: LedgerWriter, entries: Entries, noted: Mapping[str, str], sources: Sources,
        clock: Clock, faults: Iterable[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        self._writer, self._entries = writer, entries
        self._audited = dict(faults)
        self._faults: dict[str, str] = {}
        self._broker = sources.broker(noted.get(audit.BROKER_LOG, "")) if sources.broker else None
        self._noted_left_out = noted.get(LEFT_OUT, "{}")
        self._strangers = Strangers(writer.add_entry, self._noted_left_out, clock)
        self._spools = sources.spools
        self._taken = {name: _names(noted.get(f"spool/{name}", "[]")) for name in self._spools}
        for name, spool in self._spools.items():
            self._cut(spool, self._taken[name])
        self._unread: set[str] = set()
        self._expected = False

    def judged(self, before: CpState | None, now: CpState) -> None:
        """A CP breaks down, for another reason, or no longer: written at the next look."""
        audited = self._audited.setdefault(now.cp, _fault(before))
        if is_passing(now) and (audited.startswith("fault") or now.state != State.BROKEN_DOWN):
            self._faults[now.cp] = audited  # nobody has seen that it is over
        else:
            self._faults[now.cp] = _fault(now)

    def forget(self, cp: str) -> None:
        """The CP is gone; one that is named so later is another."""
        self._audited.pop(cp, None)
        self._faults.pop(cp, None)

    def look(self) -> None:
        """Faults that came or went, and what others tell, since the last look."""
        for cp, fault in self._faults.items():
            if fault != self._audited[cp]:
                self._entries.add(Audit("central", "fault", cp, fault or "over", "", f"cp/{cp}"))
                self._audited[cp] = fault
        self._faults.clear()
        if self._writer.failing:
            return
        self._strangers.look()
        self._note_left_out()
        self._read_broker()
        self.take_up()

    @property
    def behind(self) -> bool:
        """Whether there is more to be read, at the next look."""
        return self._broker is not None and self._broker.behind and not self._writer.failing

    def expect(self) -> None:
        """The Registry has told of a change: it has audited it before."""
        self._expected = True

    def take_up_expected(self) -> None:
        """Take up what the Registry told in this batch."""
        if self._expected:
            self.take_up()

    def take_up(self) -> None:
        """Take up all that waits in spools; where the ledger can't be written it stays there."""
        self._expected = False
        if not self._writer.failing:
            for name, spool in self._spools.items():
                self._take_up(name, spool)

    def _take_up(self, name: str, spool: SpoolSource) -> None:
        try:
            waiting = spool.waiting()
        except OSError as error:
            self._pass_over(error)
            return
        before = self._taken[name]
        taken = [one for one in waiting if one in before or self._read(name, spool, one)]
        if all(one in before for one in taken):
            return
        self._taken[name] = taken
        self._writer.note(f"spool/{name}", json.dumps(taken))
        self._note_left_out()
        self._writer.after_commit(partial(self._cut, spool, taken))

    def _read(self, name: str, spool: SpoolSource, file: str) -> bool:
        """Whether the file is done with; one that is another user's may be readable later."""
        try:
            found = _entries(spool, file)
        except OSError as error:
            self._pass_over(error)
            return False
        for one in found:
            self._add(name, one)
        return True

    def _pass_over(self, error: OSError) -> None:
        """What can't be read is named once, and holds up nothing else."""
        if str(error) not in self._unread:
            self._unread.add(str(error))
            _log.error("for the audit, and passed over until it can be read: %s", error)

    def _add(self, door: str, entry: audit.AuditEntry) -> None:
        if audit.refused_logins(entry):
            self._strangers.refused(door, entry)
        else:
            self._writer.add_entry(entry)

    def _cut(self, spool: SpoolSource, names: Sequence[str]) -> None:
        try:
            spool.cut(names)
        except OSError as error:
            _log.error("what is audited can't be cut from its spool: %s", error)

    def _read_broker(self) -> None:
        if self._broker is None:
            return
        found = self._broker.read()
        for one in found:
            self._add(BROKER, one)
        if found:
            self._writer.note(audit.BROKER_LOG, self._broker.cursor)
            self._note_left_out()

    def _note_left_out(self) -> None:
        noted = self._strangers.noted
        if noted != self._noted_left_out:
            self._writer.note(LEFT_OUT, noted)
            self._noted_left_out = noted


def _entries(spool: SpoolSource, file: str) -> list[audit.AuditEntry]:
    """What a file tells; one that no writer of ours made is set aside. Raises OSError."""
    try:
        return spool.read(file)
    except ValueError as error:
        _log.error("for the audit, but not to be read: %s: %s", spool.quarantine(file), error)
        return []


def _names(noted: str) -> list[str]:
    """File names; none where something else was noted, by a ledger of another's making."""
    try:
        found = json.loads(noted)
    except (ValueError, RecursionError):
        found = None
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _fault(state: CpState | None) -> str:
    """Why the CP is broken down; "" where it isn't."""
    if state is None or state.state != State.BROKEN_DOWN:
        return ""
    return state.reason or "fault"
