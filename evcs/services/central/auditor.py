"""What goes into the audit by itself: CPs' records that change, faults, what logs tell."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from typing import Protocol

from evcs.core import audit
from evcs.core import charge_point as states
from evcs.core.messages import DesiredCp, JudgedState
from evcs.services.central.outbox import Outbox

MOST_A_LOOK = 50
#: Who may change a record: the Registry takes no change without the operator's token.
OPERATOR = "operator"


class Log(Protocol):
    """A log that is followed; adapters.followed_log has it."""

    @property
    def place(self) -> str: ...

    def read(self) -> list[audit.AuditEntry]: ...


#: The name of a log -> what follows it from a place on.
Logs = Mapping[str, Callable[[str], Log]]


class Auditor:
    """Compares with what it noted last, so that what happened while it was away is seen too."""

    def __init__(self, outbox: Outbox, noted: Mapping[str, str], logs: Logs) -> None:
        self._outbox = outbox
        self._records = {
            key.removeprefix("cp/"): json.loads(value)
            for key, value in noted.items()
            if key.startswith("cp/")
        }
        self._audited: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._logs = {name: follow(noted.get(name, "")) for name, follow in logs.items()}

    def desired(self, desired: DesiredCp) -> None:
        """A record as the Registry tells it, be it for the tenth time."""
        change = audit.change(self._records.get(desired.cp), desired)
        if change is None:
            return
        self._outbox.audit(OPERATOR, change.verb, desired.cp, "ok", change.detail)
        self._records[desired.cp] = record = audit.record(desired)
        self._outbox.note(f"cp/{desired.cp}", json.dumps(record, ensure_ascii=False))

    def gone(self, cp: str) -> None:
        """The Registry has no record of the CP any more."""
        if self._records.pop(cp, None) is not None:
            self._outbox.audit("registry", "deleted", cp, "ok")
            self._outbox.note(f"cp/{cp}", None)

    def only(self, cps: Set[str]) -> None:
        """The Registry has told all that it has, and these are they."""
        for cp in self._records.keys() - cps:
            self.gone(cp)

    def judged(self, before: JudgedState | None, now: JudgedState) -> None:
        """A CP breaks down, for another reason, or no longer: written at the next look."""
        self._audited.setdefault(now.cp, _fault(before))
        self._faults[now.cp] = _fault(now)

    def look(self) -> None:
        """Faults that came or went, and what the logs tell, since the last look."""
        for cp, fault in self._faults.items():
            if fault != self._audited[cp]:
                self._outbox.audit("central", "fault", cp, fault or "over")
                self._audited[cp] = fault
        self._faults.clear()
        for name, log in self._logs.items():
            self._take_up(name, log)

    def _take_up(self, name: str, log: Log) -> None:
        """All that is ok, for that needs the operator; of what is refused only so much."""
        found = log.read()
        refused = [one for one in found if one.outcome == "refused"]
        told = [one for one in found if one.outcome != "refused"] + refused[:MOST_A_LOOK]
        if (more := len(refused) - MOST_A_LOOK) > 0:
            told.append(refused[-1]._replace(detail=f"and {more} more"))
        for one in told:
            self._outbox.audit(one.who, one.what, one.cp, one.outcome, one.detail, one.at)
        if found:
            self._outbox.note(name, log.place)


def _fault(state: JudgedState | None) -> str:
    """Why the CP is broken down; "" where it isn't."""
    if state is None or state.state != states.BROKEN_DOWN:
        return ""
    return state.reason or "fault"
