"""The power of a trial's circuits, as the bus tells it, held against what they carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from evcs.cli.bus_probe import BusProbe
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.load_management import Site
from evcs.core.supply import SupplyPhase

#: For a lowered limit to hold; and for so long a reading counts, since there is one each second.
HOLDS_WITHIN_S, READING_FOR_S = 2.0, 1.5
TOLD = (m.Meter, m.EngineStatus, m.Circuit, m.DesiredCp, m.MeterPower)


class Said(NamedTuple):
    """A message and when it was said, in seconds of the wall's clock; None of a will."""

    message: Any
    at: float | None


class Overload(NamedTuple):
    """More flowed in a circuit than it carried at any time of the last 2 s; W."""

    at: float
    circuit: str
    power_w: int
    carried_w: int


class PowerSums:
    """Adds up each circuit at each reading; `most_w`: the highest sum of each."""

    def __init__(self) -> None:
        self.readings, self.over = 0, list[Overload]()
        self.most_w: dict[str, int] = {}
        self._circuits: dict[str, m.Circuit] = {}
        self._site = Site()
        self._where: dict[str, str] = {}
        self._house_w: dict[str, int] = {}
        self._power: dict[str, tuple[float, int]] = {}
        #: Of each circuit what it carried for CPs since when.
        self._carried: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._now = 0.0

    @property
    def held(self) -> bool:
        """Whether power was recorded, and none was too much."""
        return self.readings > 0 and not self.over

    def take(self, said: Iterable[Said]) -> None:
        """What was said in a while, in any order: the broker may have held some back."""
        timed = []
        for one in said:
            self._now = self._now if one.at is None else max(self._now, one.at)
            timed.append((self._now if one.at is None else one.at, one.message))
        for at, message in sorted(timed, key=lambda one: one[0]):
            self._take(message, at)

    def _take(self, message: Any, at: float) -> None:
        if isinstance(message, m.Meter):
            self.readings += 1
            self._power[message.cp] = (at, message.power_w)
            self._add_up(at)
        elif isinstance(message, m.EngineStatus):
            if message.phase != SupplyPhase.SUPPLYING:
                self._power.pop(message.cp, None)
        elif isinstance(message, m.DesiredCp):
            self._where[message.cp] = message.circuit or ""
        elif isinstance(message, m.Circuit):
            self._circuits[message.name] = message
            self._site = Site(self._circuits.values())
            self._note(at)
        elif isinstance(message, m.MeterPower):
            self._house_w[message.name] = int(message.power_w)
            self._note(at)

    def _note(self, at: float) -> None:
        rooms = self._site.rooms(self._house_w.items())
        for name, room in rooms.items():
            known = self._carried[name]
            if not known or known[-1][1] != room:
                self._carried[name] = [*_lately(known, at), (at, room)]

    def _add_up(self, at: float) -> None:
        sums = dict.fromkeys(self._circuits, 0)
        for cp, (read_at, power_w) in self._power.items():
            for name in self._site.path(self._where.get(cp, "")):
                sums[name] += power_w if at - read_at <= READING_FOR_S else 0
        for name, power_w in sums.items():
            self.most_w[name] = max(self.most_w.get(name, 0), power_w)
            carried = max(0, *(room for _, room in _lately(self._carried[name], at)))
            if power_w > carried:
                self.over.append(Overload(at, name, power_w, carried))


def _lately(known: list[tuple[float, int]], at: float) -> list[tuple[float, int]]:
    """What it carried 2 s before, and all that came after."""
    older = sum(since <= at - HOLDS_WITHIN_S for since, _ in known)
    return known[max(older - 1, 0) :]


class PowerRecorder:
    """The sums of a running system, as `inspector` hears it."""

    def __init__(self, settings: Settings) -> None:
        self.sums = PowerSums()
        self._bus = BusProbe(settings, map(topics.filter_for, TOLD), decode=_said)
        self._bus.__enter__()

    def add_up(self) -> None:
        """All that was heard since the last time."""
        heard = []
        while (event := self._bus.receive(0.0)) is not None:
            found: Any = event.message
            if isinstance(found, Said) and isinstance(found.message, TOLD):
                heard.append(found)
        self.sums.take(heard)

    def close(self) -> None:
        """Leave."""
        self.add_up()
        self._bus.__exit__()


def _said(topic: str, payload: bytes) -> Any:
    ts = topics.parse_object(payload).get("ts") if payload else None
    at = datetime.fromisoformat(ts).timestamp() if isinstance(ts, str) else None
    return Said(topics.decode(topic, payload), at)


def figures(sums: PowerSums) -> Mapping[str, Any]:
    """As it is told: {readings, most_w, over}."""
    return {
        "readings": sums.readings,
        "most_w": sums.most_w,
        "over": [one._asdict() for one in sums.over],
    }
