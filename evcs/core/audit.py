"""The audit's entries, and what becomes of a CP's record or a driver in its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core import strict_json
from evcs.core.messages import Circuit, DesiredCp
from evcs.core.units import is_time

Record = DesiredCp | Circuit

MAX_VALUE = 80
#: Of an entry that is taken up from a spool; a change of every field of a CP is shorter.
MAX_PART = 4_096
_PLAIN = re.compile(r"[A-Za-z0-9._:/-]+")

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


#: Of what is noted in the ledger: how far the broker's log is read.
BROKER_LOG = "broker_log"

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
    outcome: str = "ok"

    def entry(self, at: str) -> AuditEntry:
        """The change as it is audited."""
        return AuditEntry(at, self.who, self.what, self.cp, self.outcome, self.detail)


OPERATOR = "operator"
#: How a client says who uses the operator's token: a user at a terminal, an address at the page.
WHO_HEADER = "Evcs-Who"
_SAID = re.compile(r"(operator|web)/[A-Za-z0-9._:@%-]{1,64}")


def operator(said: str, address: str) -> str:
    """Who uses the operator's token: as the client says it, else from which address."""
    return said if _SAID.fullmatch(said) else f"{OPERATOR}/{address}"


def changed(who: str, verb: str, before: DesiredCp | None, after: DesiredCp) -> Change:
    """What was done to a CP: each field that differs, old -> new, and the revision."""
    parts = [] if before is None else differences(before, after)
    said = [part for part in parts if part not in SAID_BY_VERB.get(verb, ())]
    return Change(who, verb, after.id, ", ".join([*said, f"revision {after.revision}"]))


#: What a verb says by itself.
SAID_BY_VERB = {
    "stop": ("service in -> out",), "resume": ("service out -> in",),
    "revoke": ("revoked no -> yes",), "rekey": ("revoked yes -> no",),
    "delete": ("deleted no -> yes",),
}  # fmt: skip

#: What follows from a change, or from its time.
DERIVED = frozenset(
    {"revision", "prices", "placement", "previous_host", "previous_placement", "fallback_w"}
)


def differences(before: Record, after: Record) -> list[str]:
    """Each field that differs, old -> new."""
    return [
        _part(name, getattr(before, name), getattr(after, name)) for name in fields(before, after)
    ]


def told(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The same of two records of a CP as the HTTP interfaces give them."""
    names = [name for name in DesiredCp._fields if name in after and name not in DERIVED]
    changed = [name for name in names if before.get(name) != after[name]]
    return [_part(name, before.get(name), after[name]) for name in changed]


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
    done_to = entry.what in OF_DRIVERS and entry.detail == driver
    return entry.who == f"driver/{driver}" or done_to


def from_json(line: str) -> AuditEntry:
    """The entry that a line of a spool is. Raises ValueError."""
    try:
        found = strict_json.parse(line.encode())
        entry = AuditEntry(**found)
    except (strict_json.NotJson, TypeError) as error:
        raise ValueError(str(error)) from None
    texts = entry._replace(cp=entry.cp or "")
    if not all(isinstance(one, str) and len(one) <= MAX_PART for one in texts):
        raise ValueError("not an entry of the audit")
    if not is_time(entry.at):
        raise ValueError("an entry of no time")
    return entry


#: What a field is called, its unit, and how many of the field's make one of that.
_WORDS = {
    "price_eur_kwh": ("price", " EUR/kWh", 1),
    "max_power_w": ("power", " kW", 1000),
    "other_load_w": ("other load", " kW", 1000),
}


def _part(name: str, before: Any, after: Any) -> str:
    word, unit, size = _WORDS.get(name, (name.replace("_", " "), "", 1))
    return f"{word} {_short(before, size)} -> {_short(after, size)}{unit}"


def _short(value: Any, size: int) -> str:
    """A value for people: a text that is not one plain word is in quotes, none is "none"."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return str(value) if size == 1 else f"{value / size:g}"
    text = value if isinstance(value, str) and _PLAIN.fullmatch(value) else repr(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."
