"""What is asked of the Registry in one batch, gathered until it is committed together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import cached_property
from typing import Any, NamedTuple

from evcs.core import audit, back_ends, circuits, desired, placement, prices, stations
from evcs.core.errors import BadValue, Conflict, Deleting, EvcsError, NotFound
from evcs.core.hosts import Host, Hosts
from evcs.core.ids import same
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver, ReconcileReport
from evcs.services.registry.revised import Revised
from evcs.services.registry.room import CheckRoom, Room


class AskedChange(NamedTuple):
    """One change that a client waits for: made by one of Batch's methods."""

    change: Callable[[Batch], Any]
    answer: Future[Any]
    who: str = audit.OPERATOR


class Stamp(NamedTuple):
    """What a batch gives its changes: the time (RFC 3339 UTC), and tokens of new placements."""

    at: str
    new_token: Callable[[], str]


class Batch:
    """Changes on top of what is committed. Each method takes one up, or raises EvcsError."""

    def __init__(
        self, cps: Mapping[str, DesiredCp], drivers: Mapping[str, DesiredDriver],
        cables: Mapping[str, Circuit], revision: int,
        places: Hosts, stamp: Stamp, check_room: CheckRoom = lambda _there, _more: None,
    ) -> None:  # fmt: skip
        self.revision = revision
        #: Who asks for what is made just now.
        self.who = audit.OPERATOR
        self._stamp, self._room = stamp, Room(places.centre, check_room)
        self.cps: dict[str, DesiredCp] = {}
        self.created: list[str] = []
        self.rekeyed: dict[str, None] = {}
        self.gone: list[str] = []
        #: What CPs dial their back ends with, by identity.
        self.back_end_secrets: dict[str, str] = {}
        #: Stations that no CP named before.
        self.stations: list[str] = []
        #: Stations whose password is over at once, and those that are to have another in its place.
        self.keys: list[str] = []
        self.next_keys: list[str] = []
        self.drivers: dict[str, DesiredDriver] = {}
        self.drivers_made: list[str] = []
        self.drivers_gone: list[str] = []
        self.circuits = Revised(cables)
        self.hosts = Revised(places.others)
        #: Those that get a secret now.
        self.hosts_joined: list[str] = []
        #: (host, CP) of reports that nobody may be there to take back.
        self.lost: list[tuple[str, str]] = []
        #: Each change as it was made, for the audit.
        self.made: list[audit.Change] = []
        self._committed = cps
        self.committed_drivers = drivers
        self._centre = places.centre

    @cached_property
    def _ids(self) -> dict[str, str]:
        """Made where it is asked for: most batches are statuses, one for each that is heard."""
        return {same(cp): cp for cp in self._committed}

    @cached_property
    def _rooms(self) -> placement.Rooms:
        return placement.Rooms(self._there().values())

    @cached_property
    def _connectors(self) -> stations.Connectors:
        return stations.Connectors(self._there().values())

    @cached_property
    def _dialled(self) -> back_ends.Dialled:
        return back_ends.Dialled(self._there().values())

    @property
    def changes(self) -> bool:
        """Whether there is anything to commit."""
        others = self.circuits.differs or self.hosts.differs
        return bool(self.cps or self.gone or self.drivers or self.drivers_gone or others)

    @property
    def at(self) -> str:
        """When it is made (RFC 3339 UTC)."""
        return self._stamp.at

    def put_host(self, host: Host, change: audit.Change) -> None:
        """Have this host, as it is now."""
        self.hosts.put(host.name, host)
        self.tell(change)

    def drop_host(self, name: str, change: audit.Change) -> None:
        """Have a host no more."""
        self.hosts.drop(name)
        self.tell(change)

    def has_host(self, name: str) -> bool:
        """Whether CPs may be there."""
        return self._places.has(name)

    @property
    def _places(self) -> Hosts:
        return Hosts(self._centre, self.hosts.now)

    def now(self) -> dict[str, DesiredCp]:
        """All CPs, as the batch has them."""
        found = self._there()
        for gone in self.gone:
            found.pop(gone, None)
        return found

    @cached_property
    def _carried_w(self) -> dict[str, int]:
        return circuits.rooms(self.circuits.now)

    def put_circuits(self, after: Mapping[str, Circuit], change: audit.Change) -> None:
        """Have these circuits. Raises EvcsError where they are no forest, or a CP does not fit."""
        circuits.check(after, self.now().values())
        self.circuits.now = after
        self.__dict__.pop("_carried_w", None)
        self.tell(change)

    def create(self, given: object) -> DesiredCp:
        """A CP, of the fields that are given."""
        self._room.check_coming([given], self._there())
        return self._create(given)

    def _create(self, given: object) -> DesiredCp:
        cp = desired.new_cp(given, self._centre)
        taken = self._ids.get(same(cp.id))
        if taken is not None:
            if taken in self.gone or self._current(taken).deleted:
                raise Deleting(f"CP {taken} is being deleted", "try again in a moment")
            raise Conflict(f"CP {taken} exists already", f"see it with: evcs-cp show {taken}")
        self._check_place(cp)
        circuits.check_cp(self.circuits.now, self._carried_w, cp)
        secrets = back_ends.secrets(cp.id, given)
        if cp.station is not None:
            cp = self._on_station(cp, cp.station)
        if cp.backend is not None:
            self._dialled.take(cp)
        self.back_end_secrets |= secrets
        self._ids[same(cp.id)] = cp.id
        self.created.append(cp.id)
        return self._put("create", None, cp)

    def _there(self) -> dict[str, DesiredCp]:
        """All CPs, those too that go."""
        return {**self._committed, **self.cps}

    def _of(self, station: str) -> list[DesiredCp]:
        """The CPs of a station, as they are now."""
        return [cp for cp in self._there().values() if cp.station == station]

    def _on_station(self, cp: DesiredCp, station: str) -> DesiredCp:
        known = self._connectors.knows(station)
        cp = self._connectors.take(cp)
        if not known:
            self.stations.append(station)
        return cp

    def create_many(self, given: list[Any]) -> list[DesiredCp | EvcsError]:
        """Each for itself: those that can be are made; none where there is no room for all."""
        self._room.check_coming(given, self._there())
        found: list[DesiredCp | EvcsError] = []
        for one in given:
            try:
                found.append(self._create(one))
            except EvcsError as error:
                found.append(error)
        return found

    def edit(self, cp: str, given: object) -> DesiredCp:
        """Some of its fields; stop and resume are edits, too."""
        before = self._alive(cp)
        after = desired.edited(before, given)
        if after == before:
            return before
        if (before.host, before.hosting) != (after.host, after.hosting):
            self._check_place(after)
        circuits.check_cp(self.circuits.now, self._carried_w, after)
        self._room.check_move(before, after, self._there())
        return self._put(audit.edit_verb(before, after), before, after)

    def _check_place(self, cp: DesiredCp) -> None:
        """Whether it may run there. Raises BadValue."""
        self._places.check(cp.host)
        if cp.hosting == placement.OCPP and cp.host != self._centre:
            text = f"host: a real charger dials in at {self._centre}"
            raise BadValue(text, f"allowed with hosting ocpp: {self._centre}")

    def rescue(self, cp: DesiredCp, lost: str, goal: str) -> None:
        """Have a CP elsewhere at once, with new secrets: nobody will let go of it any more."""
        self.lost.append((lost, cp.id))
        if cp.deleted:
            self._finish_delete(cp.id)
            return
        self.rekeyed[cp.id] = None
        to = goal if cp.host == lost else cp.host
        moved = self._put("rescue", cp, cp._replace(host=to))
        if placement.holder(moved).host == lost:
            self.keep(placement.arrived(moved))

    def revoke(self, cp: str) -> DesiredCp:
        """Shut the CP out: its identities leave the broker, its record stays."""
        before = self._alive(cp)
        if before.revoked:
            return before
        return self._put("revoke", before, before._replace(revoked=True))

    def rekey(self, cp: str) -> DesiredCp:
        """New secrets; a revocation is over with that."""
        before = self._alive(cp)
        self.rekeyed[cp] = None
        if before.station is not None and before.station not in self.keys:
            is_shut_out = stations.is_shut_out(self._of(before.station))
            (self.keys if is_shut_out else self.next_keys).append(before.station)
        return self._put("rekey", before, before._replace(revoked=False))

    def delete(self, cp: str) -> DesiredCp:
        """A tombstone, until the CP's host has taken it down."""
        before = self._current(cp)
        if before.deleted:
            after = before
        else:
            after = self._put("delete", before, before._replace(deleted=True))
        if not self._places.has(placement.holder(after).host):
            self._finish_delete(cp)
        return after

    def finish_elsewhere(self) -> None:
        """Drop tombstones of hosts that have no CP Manager: nobody would ever report them done."""
        for cp in self._committed.values():
            if cp.deleted and not self._places.has(placement.holder(cp).host):
                self._finish_delete(cp.id)

    def released(self, report: ReconcileReport) -> None:
        """A place has let go of a CP: it is gone where it is deleted, else its new place begins."""
        found = self.cps.get(report.cp) or self._committed.get(report.cp)
        if found is None or report.cp in self.gone or not placement.released(found, report):
            return
        if found.deleted:
            self._finish_delete(found.id)
        else:
            arrived = self.keep(placement.arrived(found))
            self.made.append(audit.Change("registry", "placed", found.id, arrived.host))

    def _finish_delete(self, cp: str) -> None:
        """The CP's host has taken it down: nothing of it is needed any more."""
        if cp in self.gone:
            return
        found = self.cps.get(cp) or self._committed[cp]
        self.lost += [(host, cp) for host in {found.host, placement.holder(found).host}]
        self.cps.pop(cp, None)
        self.gone.append(cp)
        self.tell(audit.Change("registry", "deleted", cp))

    def _current(self, cp: str) -> DesiredCp:
        found = self.cps.get(cp) or self._committed.get(cp)
        if found is None or cp in self.gone:
            raise NotFound(f"no CP {cp}", "list them with: evcs-cp list")
        return found

    def _put(self, verb: str, before: DesiredCp | None, after: DesiredCp) -> DesiredCp:
        after = prices.priced(before, after, self._stamp.at)
        after = placement.pooled(before, after, lambda host: self._rooms.take(host))
        after = self.keep(placement.placed(before, after, self._stamp.new_token))
        self.made.append(audit.changed(self.who, verb, before, after))
        return after

    def keep(self, cp: DesiredCp) -> DesiredCp:
        """Have a CP be so, with a revision of its own."""
        self.revision += 1
        self.cps[cp.id] = found = cp._replace(revision=self.revision)
        return found

    def tell(self, change: audit.Change) -> None:
        """A change that leaves no record has a revision all the same: each commit has one."""
        self.revision += 1
        self.made.append(change)

    def _alive(self, cp: str) -> DesiredCp:
        found = self._current(cp)
        if found.deleted:
            raise Deleting(f"CP {cp} is being deleted", "it can't be changed any more")
        return found
