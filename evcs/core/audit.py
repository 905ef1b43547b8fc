"""The audit's entries, and what became of a CP's record in its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.messages import DesiredCp

MAX_VALUE = 80


class AuditEntry(NamedTuple):
    """Who did what, when (RFC 3339 UTC), with what outcome."""

    at: str
    who: str
    what: str
    cp: str | None
    outcome: str
    detail: str


class Change(NamedTuple):
    """What was done to a CP, and how its record differs now."""

    verb: str
    detail: str


def record(desired: DesiredCp) -> dict[str, Any]:
    """What the audit keeps of a record, to tell the next change by it."""
    found = desired._asdict()
    del found["cp"]
    return found


def change(before: Mapping[str, Any] | None, after: DesiredCp) -> Change | None:
    """The change since the record that was last heard of; None where there is none."""
    now = record(after)
    if before == now:
        return None
    old = before or {}
    changed = [name for name, value in now.items() if name != "revision" and old.get(name) != value]
    parts = [_part(name, old, now) for name in changed if before is not None]
    parts.append(f"revision {after.revision}")
    return Change(_verb(before, changed, after), ", ".join(parts))


def _verb(before: Mapping[str, Any] | None, changed: list[str], after: DesiredCp) -> str:
    if after.deleted:
        return "delete"
    if before is None:
        return "create"
    if "revoked" in changed:
        return "revoke" if after.revoked else "rekey"
    if changed == ["service"]:
        return "stop" if after.service == "out" else "resume"
    # New secrets are in no field of the record, only in its revision.
    return "edit" if changed else "rekey"


def _part(name: str, old: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return f"{name} {_short(old.get(name))} -> {_short(now[name])}"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."
