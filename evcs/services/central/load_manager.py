"""Shares out the power of circuits: looks at who takes and who waits, and grants limits.

Lowered limits are told at once; one is raised by no more than is free for certain: what others may
still take (core.power_demand) counts, whatever they were told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from evcs.core import messages as m
from evcs.core.circuits import take
from evcs.core.cp_record import CpRecord
from evcs.core.decisions import events as d
from evcs.core.grants import Fallback, ToldLimit, fallback_grants, grants
from evcs.core.limits import RENEW_S
from evcs.core.load_management import Asker, Division, Site, divide, turns_from, waits_s
from evcs.core.placement import OCPP
from evcs.core.power import Power
from evcs.core.power_demand import asker, fallback_now_w, is_trusted, most_now_w
from evcs.core.session import Session
from evcs.services.central.circuit_states import CircuitStates
from evcs.services.central.fleet import Fleet
from evcs.services.central.outbox import Outbox
from evcs.services.central.power_notes import PowerNotes

#: So often there is a look; the least between two where something has happened; and one at who does
#: not obey.
LOOK_EVERY_S, SOON_S, WATCH_EVERY_S = 2.0, 0.25, 2.0
#: A meter that says nothing for so long counts with the declared most.
METER_SILENT_S = 10.0
#: An Engine that does not show its limit is told again.
TELL_AGAIN_S = 2.0
#: After Central has begun nothing is raised for so long: a limit of an earlier run may come first.
SETTLE_S = 5.0


class Measured(NamedTuple):
    """What a circuit's meter said, and when (monotonic seconds)."""

    power_w: int
    at: float


class Taking(NamedTuple):
    """Who asks, what each may take now, and what the rest leaves of each circuit.

    `unsure`: askers that count with that until a reading shows their limit.
    """

    askers: tuple[Asker, ...]
    most_w: Mapping[str, int]
    rooms: Mapping[str, int]
    unsure: frozenset[str]


class LoadManager:
    """Looks each tick, where there are circuits."""

    def __init__(self, fleet: Fleet, outbox: Outbox, notes: PowerNotes, began: float) -> None:
        self._fleet, self._outbox, self._notes, self._began = fleet, outbox, notes, began
        self._circuits: dict[str, m.Circuit] = {}
        self._site = Site()
        self._measured: dict[str, Measured] = {}
        self._members: set[str] = set()
        self._found: set[str] = set()
        self._looked_at = self._watch_at = 0.0
        self._soon = False
        self._states = CircuitStates(outbox)
        self._taking: Taking | None = None
        self._division = Division({}, frozenset())

    def connected(self) -> None:
        """A new connection: the broker may have lost what it kept."""
        self._states.connected()

    def on_circuit(self, circuit: m.Circuit) -> None:
        """A circuit, as the Registry has it now."""
        self._circuits[circuit.name] = circuit
        self._soon = True
        self._changed()

    def forget(self, name: str) -> None:
        """The Registry has it no more."""
        self._circuits.pop(name, None)
        self._measured.pop(name, None)
        self._states.clear(name)
        self._changed()

    def found(self, state: m.CircuitState) -> None:
        """The broker keeps what an earlier run published."""
        self._found.add(state.name)

    def clear_states(self) -> None:
        """Take away what it keeps of circuits that are gone."""
        for name in self._found - self._circuits.keys():
            self._states.clear(name)
        self._found.clear()

    def on_meter(self, measured: m.MeterPower, at: d.At) -> None:
        """What a house takes now; what it gives is nothing to rely on."""
        self._measured[measured.name] = Measured(max(int(measured.power_w), 0), at.clock)
        self._soon = True

    def on_desired(self, desired: m.DesiredCp) -> None:
        """A CP, as the Registry has it now: in a circuit, or in none."""
        self._soon, members = True, self._members
        (members.add if desired.circuit is not None else members.discard)(desired.cp)

    def forget_cp(self, cp: str) -> None:
        """A CP is gone."""
        self._members.discard(cp)

    def heard(self, cp: str) -> None:
        """More than a reading: a session may begin, end, or go on."""
        self._soon |= cp in self._members

    def look(self, at: d.At) -> None:
        """Divide what there is, if anything is other than at the last look; tell who is due."""
        since_s = at.clock - self._looked_at
        if not self._circuits or since_s < (SOON_S if self._soon else LOOK_EVERY_S):
            return
        self._looked_at, self._soon = at.clock, False
        self._raise_fallbacks(at)
        others = self._others(at)
        taking = self._take_stock(others, at)
        if taking != self._taking:
            self._taking = taking
            self._division = _divided(self._site, taking)
        self._grant(taking, at)
        self._states.look(self._site, others, self._sessions(), at.clock)

    def watch(self, at: d.At) -> None:
        """Who does not show what it was told, or does not know its fallback."""
        if at.clock < self._watch_at:
            return
        self._watch_at = at.clock + WATCH_EVERY_S
        for cp in self._members:
            if cp in self._fleet.records:
                self._fleet.apply(cp, d.PowerLooked(), at)
        self._notes.keep(self._members, self._fleet.records)

    def _raise_fallbacks(self, at: d.At) -> None:
        """Have those told that may rise, once what they take the place of is nobody's any more."""
        wanted = [
            (record, record.desired)
            for cp in self._members
            if (record := self._fleet.records.get(cp)) is not None
            and record.desired is not None
            and record.desired.circuit in self._circuits
        ]
        rising = [record for record, _ in wanted if record.fallback_rises]
        if not rising:
            return
        members = [
            Fallback(record.cp, desired.circuit or "", desired.fallback_w or 0,
                     record.fallback_w or 0, fallback_now_w(record))
            for record, desired in wanted
        ]  # fmt: skip
        loads = [(name, one.other_load_w) for name, one in self._circuits.items()]
        found = fallback_grants(self._site, self._site.rooms(loads), members)
        for record in rising:
            if record.cp in found or record.fallback_granted_w is None:
                fallback_w = found.get(record.cp, record.fallback_w or 0)
                self._fleet.apply(record.cp, d.FallbackGranted(fallback_w), at)

    def _grant(self, taking: Taking, at: d.At) -> None:
        """Have told what is to be told anew, and again what is not shown or would run out."""
        held = {one.cp: self._held(one.cp, taking) for one in taking.askers}
        may_raise = at.clock - self._began >= SETTLE_S
        limits = self._division.limits
        due = grants(self._site, taking.rooms, taking.askers, limits, held, may_raise)
        for cp in held:
            power = self._fleet.records[cp].power
            untold = limits.get(cp) == 0 and power is not None and power.wait_s is None
            if cp not in due and (power is None or untold or _is_due(power, at.clock)):
                due[cp] = (held[cp].told_w or 0) if power is None else power.told_w
        if not due:
            return
        waits = waits_s(self._site, taking.askers, limits, at.wall)
        turns = {one.cp for one in taking.askers if one.turn}
        for cp, limit_w in due.items():
            share_w = limits.get(cp)
            granted = d.Granted(
                limit_w, None if share_w is None else not share_w, cp in turns,
                cp in self._division.guests, waits.get(cp),
            )  # fmt: skip
            self._fleet.apply(cp, granted, at)

    def _held(self, cp: str, taking: Taking) -> ToldLimit:
        """What it was told, by an earlier Central where this has not yet."""
        record = self._fleet.records[cp]
        told_w = record.engine.limit_w if record.engine is not None and record.holds else None
        return ToldLimit(told_w if record.power is None else record.power.told_w, taking.most_w[cp])

    def _changed(self) -> None:
        self._site, self._taking = Site(self._circuits.values()), None

    def _take_stock(self, others: Mapping[str, int], at: d.At) -> Taking:
        askers, unsure = list[Asker](), set[str]()
        most_w: dict[str, int] = {}
        loads = [*others.items()]
        first = turns_from(at.wall)
        for record, circuit in self._in_circuits():
            most = most_now_w(record, at.clock)
            one = asker(record, circuit, at.clock, first, at.wall)
            if one is not None:
                askers.append(one)
                most_w[record.cp] = most
                if not is_trusted(record, at.clock):
                    unsure.add(record.cp)
            elif most:
                loads.append((circuit, most))
        return Taking(tuple(askers), most_w, self._site.rooms(loads), frozenset(unsure))

    def _in_circuits(self) -> Iterable[tuple[CpRecord, str]]:
        """Those that may take power; of a circuit that is not known yet nothing is told."""
        for cp in self._members:
            record = self._fleet.records.get(cp)
            if record is None or record.desired is None:
                continue
            circuit, hosting = record.desired.circuit, record.desired.hosting
            if circuit in self._circuits and (record.session is not None or hosting == OCPP):
                yield record, circuit

    def _sessions(self) -> Iterable[tuple[str, Session]]:
        for record, circuit in self._in_circuits():
            if record.session is not None:
                yield circuit, record.session

    def _others(self, at: d.At) -> dict[str, int]:
        """What houses take: what their meters say, or the declared most."""
        found = {}
        for name, circuit in self._circuits.items():
            measured = self._measured.get(name)
            heard = measured is not None and at.clock - measured.at <= METER_SILENT_S
            found[name] = measured.power_w if measured and heard else circuit.other_load_w
        return self._site.houses(found)


def _divided(site: Site, taking: Taking) -> Division:
    """A limit for each asker. Who may still take more than his leaves less to the others."""
    whole = divide(site, taking.rooms, taking.askers)
    late = {cp for cp in taking.unsure if taking.most_w[cp] > whole.limits[cp]}
    if not late:
        return whole
    rooms, others = dict(taking.rooms), [one for one in taking.askers if one.cp not in late]
    take(rooms, ((site.path(one.circuit), taking.most_w[one.cp])
                 for one in taking.askers if one.cp in late))  # fmt: skip
    rest = divide(site, rooms, others)
    return Division(whole.limits | rest.limits, rest.guests | (whole.guests & late))


def _is_due(power: Power, now: float) -> bool:
    every = RENEW_S if power.unshown_since is None else TELL_AGAIN_S
    return now - power.told_at >= every
