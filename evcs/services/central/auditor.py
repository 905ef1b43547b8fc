"""What goes into the audit by itself: CPs' records that change, faults, refused logins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from typing import Protocol

from evcs.adapters.broker_log import Refusal
from evcs.core import audit
from evcs.core import charge_point as states
from evcs.core.messages import DesiredCp, JudgedState
from evcs.services.central.outbox import Outbox

PLACE = "broker_log"
MOST_A_LOOK = 50
#: Who may change a record: the Registry takes no change without the operator's token.
OPERATOR = "operator"


class Logins(Protocol):
    """Refused logins, followed; adapters.broker_log has them."""

    @property
    def place(self) -> str: ...

    def read(self) -> list[Refusal]: ...


class Auditor:
    """Compares with what it noted last, so that what happened while it was away is seen too."""

    def __init__(
        self, outbox: Outbox, noted: Mapping[str, str], logins: Callable[[str], Logins] | None
    ) -> None:
        self._outbox = outbox
        self._records = {
            key.removeprefix("cp/"): json.loads(value)
            for key, value in noted.items()
            if key.startswith("cp/")
        }
        self._audited: dict[str, str] = {}
        self._faults: dict[str, str] = {}
        self._logins = logins(noted.get(PLACE, "")) if logins else None

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
        """Faults that came or went, and logins that the broker refused, since the last look."""
        for cp, fault in self._faults.items():
            if fault != self._audited[cp]:
                self._outbox.audit("central", "fault", cp, fault or "over")
                self._audited[cp] = fault
        self._faults.clear()
        if self._logins is not None:
            self._take_refused(self._logins)

    def _take_refused(self, logins: Logins) -> None:
        found = logins.read()
        for one in found[:MOST_A_LOOK]:
            self._outbox.audit(one.address, "login", None, "refused", at=one.at)
        if len(found) > MOST_A_LOOK:
            more = f"and {len(found) - MOST_A_LOOK} more"
            self._outbox.audit(found[-1].address, "login", None, "refused", more, found[-1].at)
        if found:
            self._outbox.note(PLACE, logins.place)


def _fault(state: JudgedState | None) -> str:
    """Why the CP is broken down; "" where it isn't."""
    if state is None or state.state != states.BROKEN_DOWN:
        return ""
    return state.reason or "fault"
