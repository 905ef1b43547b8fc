"""The audit's entries, and what becomes of a CP's record or a driver in its words."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from evcs.core import strict_json
from evcs.core.messages import Circuit, DesiredCp

Record = DesiredCp | Circuit

MAX_VALUE = 80

#: What is done to a driver; the entry's detail is the name alone, so that it can be forgotten.
DRIVER_ADDED, DRIVER_REMOVED, DRIVER_TAGGED = "driver add", "driver remove", "driver tag"
OF_DRIVERS = (DRIVER_ADDED, DRIVER_REMOVED, DRIVER_TAGGED)


class AuditEntry(NamedTuple):
    """Who did what, when (RFC 3339 UTC), with what outcome."""

    at: str
    who: str
    what: str
    cp: str | None
    outcome: str
    detail: str


#: Who says or asks for more than the bus carries, and is shut out for a while.
FLOOD = "flood"

#: Strangers, whose entries are told as a number: see `more`.
VARIOUS = "various"
_MORE = re.compile(r"(?:[a-z]+: )?and ([1-9][0-9]{0,17}) more")


class Change(NamedTuple):
    """What the Registry made: of a CP, or of a driver or circuit, which the detail names."""

    who: str
    what: str
    cp: str | None
    detail: str = ""

    def entry(self, at: str) -> AuditEntry:
        """The change as it is audited."""
        return AuditEntry(at, self.who, self.what, self.cp, "ok", self.detail)


def changed(verb: str, before: DesiredCp | None, after: DesiredCp) -> Change:
    """What the operator did to a CP: each field that differs, old -> new, and the revision."""
    parts = [] if before is None else differences(before, after)
    return Change("operator", verb, after.id, ", ".join([*parts, f"revision {after.revision}"]))


#: What follows from a change, or from its time.
DERIVED = frozenset(
    {"revision", "prices", "placement", "previous_host", "previous_placement", "fallback_w"}
)


def differences(before: Record, after: Record) -> list[str]:
    """Each field that differs, old -> new."""
    return [_part(name, before, after) for name in fields(before, after)]


def fields(before: Record, after: Record) -> list[str]:
    """The fields in which two records of one kind differ, but for what follows from others."""
    pairs = zip(before._fields, before, after, strict=True)
    return [name for name, old, new in pairs if old != new and name not in DERIVED]


def edit_verb(before: DesiredCp, after: DesiredCp) -> str:
    """Stop and resume are edits of one field."""
    if fields(before, after) == ["service"]:
        return "stop" if after.service == "out" else "resume"
    return "edit"


def more_refused(at: str, door: str, count: int) -> AuditEntry:
    """So many more refused logins at a door ("web"), none of which has an entry of its own."""
    return AuditEntry(at, VARIOUS, "login", None, "refused", f"{door}: and {count} more")


def refused_logins(entry: AuditEntry) -> int:
    """How many refused logins the entry stands for."""
    if (entry.what, entry.outcome) != ("login", "refused"):
        return 0
    more = _MORE.fullmatch(entry.detail) if entry.who == VARIOUS else None
    return int(more[1]) if more else 1


def names(entry: AuditEntry, driver: str) -> bool:
    """Whether the entry names the driver: as who did it, or as whom it was done to."""
    done_to = entry.who == "operator" and entry.what in OF_DRIVERS
    return entry.who == f"driver/{driver}" or (done_to and entry.detail == driver)


def from_json(line: str) -> AuditEntry:
    """The entry that a line of a spool is. Raises ValueError."""
    try:
        found = strict_json.parse(line.encode())
        entry = AuditEntry(**found)
    except (strict_json.NotJson, TypeError) as error:
        raise ValueError(str(error)) from None
    if not all(isinstance(one, str) for one in entry._replace(cp=entry.cp or "")):
        raise ValueError("not an entry of the audit")
    return entry


def _part(name: str, before: Record, after: Record) -> str:
    return f"{name} {_short(getattr(before, name))} -> {_short(getattr(after, name))}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."
