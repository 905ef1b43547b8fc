"""The gateway: which stations may dial in, whose connectors are which CPs, and what is asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from evcs.core import messages as m
from evcs.core import stations
from evcs.core.audit import FLOOD
from evcs.core.bounded_entries import BoundedEntries
from evcs.core.errors import EvcsError
from evcs.core.ids import short
from evcs.core.ocpp.ports import AccessRefusal, CallError, Connection, StationAccess
from evcs.core.ocpp.rules import Code, Version
from evcs.core.placement import OCPP
from evcs.core.ports import Connected, Disconnected, Received
from evcs.core.retained_view import RetainedView
from evcs.services.gateway.asked import Asked
from evcs.services.gateway.connector import Connector
from evcs.services.gateway.dialect import Answer
from evcs.services.gateway.frames import ShownFrames
from evcs.services.gateway.keys import Keys
from evcs.services.gateway.outside import Place
from evcs.services.gateway.parts import GatewayParts
from evcs.services.gateway.refusals import AccessRefusals
from evcs.services.gateway.station import STATUS_WITHIN_S, ConnectedStation, StationParts
from evcs.services.gateway.tasks import Tasks
from evcs.services.gateway.v16 import Station16
from evcs.services.gateway.v201 import Station201

STATIONS: Mapping[Version, type[ConnectedStation]] = {
    Version.V16: Station16,
    Version.V201: Station201,
}
#: For what a station without a CP still has under way.
LEAVE_WITHIN_S = 10.0

_log = logging.getLogger("evcs")


class Gateway:
    """Desired state in memory; a ConnectedStation for each connection (core.ocpp.ports.Handler)."""

    def __init__(self, host: str, birth: m.ServiceStatus, parts: GatewayParts) -> None:
        self._host, self._birth, self._parts = host, birth, parts
        self._cps: dict[str, m.DesiredCp] = {}
        #: Station -> number -> CP.
        self._places: dict[str, dict[int, str]] = {}
        self._known: dict[str, m.DesiredStation] = {}
        self._stations: dict[str, ConnectedStation] = {}
        self._view, self._knows_all = RetainedView(birth.boot), False
        self._tasks = Tasks(_log)
        self._given = Keys(self._keys)
        self._refusals = AccessRefusals(parts.audit)
        self._entries = BoundedEntries(lambda one: parts.audit(*one), _more, time.monotonic)
        self._frames = ShownFrames(host, parts.bus, time.monotonic)

    @property
    def available(self) -> bool:
        """Whether chargers can be served: who is whose must have been told once."""
        return self._knows_all and self._parts.bus.connected

    def access(self, ocpp_id: str) -> StationAccess | None:
        """Who calls itself so, and its passwords; None where nobody does."""
        for one in self._known.values():
            if one.ocpp_id.casefold() == ocpp_id.casefold():
                return StationAccess(one.station, self._given.of(one.station))
        return None

    def _keys(self, station: str) -> tuple[str, ...]:
        if self._is_shut_out(station):
            return ()
        try:
            return self._parts.keys(station)
        except (EvcsError, OSError) as error:
            _log.error("station=%s has no password: %s", station, error)
            return ()

    def _is_shut_out(self, station: str) -> bool:
        cps = self._places.get(station, {}).values()
        return stations.is_shut_out(self._cps[cp] for cp in cps)

    def place(self, cp: str) -> Place | None:
        """Which connector of which station the CP is; None where it is not known to be one."""
        found = self._cps.get(cp)
        if found is None or found.hosting != OCPP or found.station is None:
            return None
        return Place(
            cp, found.station, found.connector or 1, found.max_power_w, found.deleted,
            found.circuit is not None,
        )  # fmt: skip

    def joined(self, cp: str) -> None:
        """The CP's role has begun: its charger may be there already."""
        place = self.place(cp)
        if place is not None and place.station in self._stations:
            station = self._stations[place.station]
            station.joined(place.number)
            self._tell_service(station)

    # What the bus tells.

    def hear(self, event: Any) -> None:
        """An event of its own connection."""
        if isinstance(event, Received):
            self._view.take(event.message, event.retained)
            self._on_message(event.message)
        elif isinstance(event, Connected):
            self._view.connected()
            self._parts.bus.publish(self._birth)
            for station in self._stations.values():
                self._parts.bus.publish(station.status)
        elif isinstance(event, Disconnected):
            self._view.disconnected()
            _log.warning("bus: %s", event.reason)

    def _on_message(self, message: m.Message | m.Cleared) -> None:
        if isinstance(message, m.DesiredCp):
            self._on_cp(message)
        elif isinstance(message, m.DesiredStation):
            self._known[message.station] = message
        elif isinstance(message, m.ServiceStatus) and self._view.listed:
            self._knows_all = True
            for cp in self._view.stale(m.DesiredCp):  # deleted while this could not hear it
                self._view.forget(m.DesiredCp, cp)
                self._forget(cp)
        elif isinstance(message, m.GatewayCommand):
            self._tasks.do(self._carry_out(message))
        elif isinstance(message, m.Cleared) and message.kind is m.DesiredCp:
            self._forget(message.key["cp"])
            self._parts.look()
        elif isinstance(message, m.Cleared) and message.kind is m.DesiredStation:
            self._known.pop(message.key["station"], None)
            self._tasks.do(self._let_go(message.key["station"]))

    def _on_cp(self, desired: m.DesiredCp) -> None:
        self._forget(desired.cp)
        if desired.hosting != OCPP or desired.station is None:
            return
        self._cps[desired.cp] = desired
        self._places.setdefault(desired.station, {})[desired.connector or 1] = desired.cp
        connector, place = self._parts.connector(desired.cp), self.place(desired.cp)
        if connector is not None and place is not None:
            connector.place = place
            if desired.revoked:
                connector.revoke()
            if place.station in self._stations:
                self._tell_service(self._stations[place.station])
        if desired.station in self._stations:
            self._tasks.do(self._given.give(self._stations[desired.station], again=False))
        self._let_go_if_shut_out(desired.station)
        self._parts.look()

    def _forget(self, cp: str) -> None:
        before = self._cps.pop(cp, None)
        if before is not None and before.station is not None:
            self._places[before.station].pop(before.connector or 1, None)

    def _tell_service(self, station: ConnectedStation) -> None:
        for number, cp in self._places.get(station.connection.station, {}).items():
            one = self._cps[cp]
            station.service.want(number, "out" if one.revoked or one.deleted else one.service)

    # What chargers do.

    def serves(self, version: Version, action: str) -> bool:
        """Whether a charger may say that."""
        return STATIONS[version].serves(action)

    async def opened(self, connection: Connection) -> None:
        """A station is there."""
        name = connection.station
        parts = StationParts(
            lambda: self._connectors(name), lambda: self._absent(name), self._parts.number,
            self._parts.bus.publish, self._parts.now,
            partial(self._audit, name), self._host, _log,
        )  # fmt: skip
        self._stations[name] = station = STATIONS[connection.version](connection, parts)
        _log.info("station=%s %s from %s", name, connection.version, connection.remote)
        self._given.shown(name, connection.key)
        station.open()
        self._tell_service(station)
        self._tasks.do(self._given.give_soon(station, STATUS_WITHIN_S))
        self._let_go_if_shut_out(name)

    def closed(self, connection: Connection) -> None:
        """A connection is gone; there may be a newer one."""
        station = self._stations.get(connection.station)
        if station is not None and station.connection is connection:
            del self._stations[connection.station]
            station.close()
            _log.info("station=%s left", connection.station)

    async def called(self, connection: Connection, action: str, payload: Answer) -> Answer:
        """The answer to a CALL. Raises CallError."""
        station = self._stations.get(connection.station)
        if station is None or station.connection is not connection:
            raise CallError(Code.INTERNAL, "the connection is being replaced")
        answer = await station.called(action, payload)
        if action == "BootNotification":
            station.service.again()
            self._tasks.do(self._given.give(station, again=False))
        return answer

    def refused(self, who: str, why: AccessRefusal) -> None:
        """Somebody may not connect."""
        self._refusals.refused(who, why)

    def turned_away(self, station: str, offered: str) -> None:
        """It speaks no version of ours; one that is here at the same time says more."""
        _log.warning("station=%s offers %a, none of which is spoken here", station, offered)
        if station not in self._stations:
            found = short(offered) or "no version"
            self._parts.bus.publish(m.StationStatus(self._host, station, False, offered=found))

    def flooded(self, connection: Connection) -> None:
        """A station is shut out for a while."""
        self._audit(connection.station, FLOOD, "shut out", "at its own port")

    def _audit(self, station: str, what: str, outcome: str, detail: str) -> None:
        who = f"station/{station}"
        self._entries.add(who, (who, what, outcome, detail))

    def look(self) -> None:
        """To be called now and then."""
        self._refusals.look()
        self._entries.look()

    def frame(self, connection: Connection, direction: str, text: str) -> None:
        """A frame, for those who watch."""
        self._frames.show(connection, direction, text)

    def _connectors(self, station: str) -> dict[int, Connector]:
        places = self._places.get(station, {})
        found = {number: self._parts.connector(cp) for number, cp in places.items()}
        return {number: one for number, one in found.items() if one is not None}

    def _absent(self, station: str) -> dict[int, bool]:
        there, places = self._connectors(station), self._places.get(station, {})
        away = {number: self._cps[cp] for number, cp in places.items() if number not in there}
        return {number: not (cp.revoked or cp.deleted) for number, cp in away.items()}

    def _let_go_if_shut_out(self, station: str) -> None:
        if station in self._stations and self._is_shut_out(station):
            self._tasks.do(self._let_go(station))

    async def _let_go(self, name: str) -> None:
        """The station has no CP any more that may be: it has a moment to end what it does."""
        deadline = asyncio.get_running_loop().time() + LEAVE_WITHIN_S
        while name in self._stations and any(
            connector.open for connector in self._connectors(name).values()
        ):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.2)
        if name in self._stations and (name not in self._known or self._is_shut_out(name)):
            self._stations[name].connection.close(1008, "no CP is of this station")

    async def _carry_out(self, cmd: m.GatewayCommand) -> None:
        place = self.place(cmd.cp)
        name = place.station if place is not None else ""
        wanted = partial(self._cps.get, cmd.cp)
        asked = Asked(cmd, place, self._stations.get(name), self._given, wanted)
        self._parts.bus.publish(await asked.reply(self._host))


def _more(last: tuple[str, str, str, str], text: str) -> tuple[str, str, str, str]:
    who, what, outcome, _ = last
    return who, what, outcome, text
