"""The journal's record of an Engine whose authority is a back end."""

from __future__ import annotations

from typing import Any, NamedTuple

from evcs.core.errors import EvcsError
from evcs.core.ocpp import station_state as s
from evcs.core.ocpp import transactions as t


class StationRecord(NamedTuple):
    """What it holds: as a station, and of the charges that Central has not settled.

    `fault`: set by hand, until it is cleared by hand.
    """

    station: s.StationState
    charges: t.Held = t.Held()
    fault: str | None = None


def to_record(kept: StationRecord) -> dict[str, Any]:
    """A journal's record."""
    return {
        "format": s.FORMAT,
        "station": s.to_record(kept.station),
        "charges": t.to_record(kept.charges),
        "fault": kept.fault,
    }


def is_record(record: dict[str, Any]) -> bool:
    """Whether a record says what such an Engine can hold; of a newer format it may be."""
    version = record.get("format")
    if type(version) is int and version > s.FORMAT:
        return True
    try:
        from_record(record, "")
    except (KeyError, TypeError, ValueError, EvcsError):
        return False
    return True


def from_record(record: dict[str, Any] | None, key: str) -> StationRecord:
    """What it holds at its birth, from a record that `is_record`. `key`: of a new station.

    Raises EvcsError for a record of a newer version.
    """
    if record is None:
        return StationRecord(s.StationState(key))
    if record["format"] != s.FORMAT:
        raise EvcsError(f"the journal is of another format than {s.FORMAT}", "upgrade evcs")
    fault = record["fault"]
    if fault is not None and not isinstance(fault, str):
        raise ValueError("no fault")
    return StationRecord(s.from_record(record["station"]), t.from_record(record["charges"]), fault)


def matters(kept: StationRecord) -> object:
    """What has to last through a power cut. Readings of the register come each second; that one
    was answered may be forgotten, it is told again then, by the same id."""
    charges = [(one.id, one.phase, one.session_id) for one in kept.charges.transactions]
    station = kept.station
    queue = tuple(one for one in station.queue if one.failed or not one.is_reading)
    return station._replace(register_wh=0, queue=queue, seq=0), kept.fault, charges
