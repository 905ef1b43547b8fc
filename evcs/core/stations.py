"""Charging stations of real chargers: what a CP says of its own, and what follows of all CPs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from evcs.core import units
from evcs.core.errors import BadValue, Conflict
from evcs.core.ids import check_id, same
from evcs.core.messages import DesiredCp, DesiredStation
from evcs.core.placement import OCPP

FIELDS = ("station", "connector", "ocpp_id")
MAX_CONNECTOR = 99
#: OCPP's identifierString; a path that a browser or proxy would shorten is none.
_OCPP_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9*_=:+|@.-]{1,48}")


def station(value: object) -> str:
    """The station's name."""
    return check_id("station", value)


def connector(value: object) -> int:
    """The number of its connector (OCPP 1.6) or EVSE (2.0.1)."""
    return units.whole("connector", value, 1, MAX_CONNECTOR)


def ocpp_id(value: object) -> str:
    """What the station calls itself."""
    if not isinstance(value, str) or not _OCPP_ID.fullmatch(value):
        allowed = "allowed: 1 to 48 of A-Z a-z 0-9 * - _ = : + | @ ."
        raise BadValue(f"ocpp_id: {ascii(value)[:60]} is not allowed", allowed)
    return value


def dialled(url: str, ocpp_id: str) -> str:
    """Where a station dials in that calls itself so."""
    return f"{url}/{in_path(ocpp_id)}"


def in_path(ocpp_id: str) -> str:
    """It as the last part of an address."""
    return quote(ocpp_id, safe="*+=:@")


def placed(cp: str, hosting: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new CP's fields of its station, with defaults; none where it is no real charger."""
    if hosting == OCPP:
        name = given.get("station", cp)
        return {"station": name, "connector": given.get("connector", 1),
                "ocpp_id": given.get("ocpp_id")}  # fmt: skip
    for field in FIELDS:
        if field in given:
            raise BadValue(f"{field}: only a CP with hosting {OCPP} has one", "leave it out")
    return {}


def check_edit(before: DesiredCp, after: DesiredCp) -> None:
    """Another charger, or none, is another CP. Raises Conflict."""
    turned = OCPP in (before.hosting, after.hosting) and before.hosting != after.hosting
    if turned or any(getattr(before, field) != getattr(after, field) for field in FIELDS):
        raise Conflict(
            f"CP {before.id}: its charger is given as it is created",
            "delete it and create it anew",
        )


def of(cps: Iterable[DesiredCp]) -> dict[str, DesiredStation]:
    """The stations that these CPs name, by name."""
    return {
        cp.station: DesiredStation(cp.station, cp.station, cp.ocpp_id or cp.station)
        for cp in cps
        if cp.station is not None
    }


def key_id(key: str) -> str:
    """A password's name, which tells nothing of it: in certificates, and on the bus."""
    return hashlib.sha256(f"evcs station {key}".encode()).hexdigest()[:32]


def is_shut_out(cps: Iterable[DesiredCp]) -> bool:
    """Whether a station that these CPs are of may not dial in: all are revoked."""
    revoked = [cp.revoked for cp in cps]
    return bool(revoked) and all(revoked)


class Connectors:
    """Which CP has which connector, those too that are being deleted."""

    def __init__(self, cps: Iterable[DesiredCp]) -> None:
        self._stations: dict[str, DesiredStation] = {}
        self._by_ocpp_id: dict[str, str] = {}
        self._cps: dict[tuple[str, int | None], str] = {}
        for cp in cps:
            self._add(cp)

    def knows(self, station: str) -> bool:
        """Whether a CP names that station."""
        return same(station) in self._stations

    def take(self, cp: DesiredCp) -> DesiredCp:
        """A new CP with its station's `ocpp_id`, on its connector then. Raises Conflict."""
        if cp.station is None:
            return cp
        there = self._stations.get(same(cp.station))
        if there is not None and there.id != cp.station:
            raise Conflict(f"station {cp.station} exists as {there.id}", "write it like that")
        taken = self._cps.get((same(cp.station), cp.connector))
        if taken is not None:
            text = f"connector {cp.connector} of station {cp.station} is CP {taken}"
            raise Conflict(text, "give another one with: --connector")
        wanted = cp.ocpp_id or (there.ocpp_id if there else cp.station)
        if there is not None and there.ocpp_id != wanted:
            raise Conflict(f"station {there.id} has the OCPP id {there.ocpp_id}", "leave it out")
        owner = self._by_ocpp_id.get(same(wanted), cp.station)
        if owner != cp.station:
            raise Conflict(f"OCPP id {wanted} is that of station {owner}", "give another one")
        found = cp._replace(ocpp_id=wanted)
        self._add(found)
        return found

    def _add(self, cp: DesiredCp) -> None:
        for name, found in of([cp]).items():
            self._stations[same(name)] = found
            self._by_ocpp_id[same(found.ocpp_id)] = name
            self._cps[same(name), cp.connector] = cp.id
