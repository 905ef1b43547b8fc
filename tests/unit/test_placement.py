"""A CP's place: never two holders, never none for ever, whatever is lost, late or killed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcs.adapters.cp_keys import AtCentre
from evcs.core import messages as m
from evcs.core import placement, pools, topics
from evcs.core.health import EngineAnswer
from evcs.core.ports import Connected, Received
from evcs.services.cp_manager.service import RESYNC_S, CpManager, ManagerPorts
from tests.unit.fakes import FakeBus, FakeProbe
from tests.unit.host_fakes import FakeCps, FakeMembers, FakeProcessHost, FakeSections, no_log

CP = "CP-1"
HOSTS = ("main", "h2", "h3")
HOSTINGS = (placement.PROCESS, placement.POOL)
REGISTRY = "registry"


def record(host: str, token: str = "t0", **more: Any) -> m.DesiredCp:
    cp = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", host, False, False, 1)
    return cp._replace(placement=token, **more)


class Killed(BaseException):
    """A kill comes where it comes: nothing catches it."""


class Sections(FakeSections):
    """Section files; a kill may come before and after each change."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__()
        self._step = step

    def write(self, unit: str) -> None:
        self._step()
        super().write(unit)
        self._step()

    def erase(self, unit: str) -> None:
        self._step()
        super().erase(unit)
        self._step()


class Members(FakeMembers):
    """Member files, likewise."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__()
        self._step = step

    def write(self, pool: str, members: pools.Members) -> None:
        self._step()
        super().write(pool, members)
        self._step()

    def erase(self, pool: str) -> None:
        self._step()
        super().erase(pool)
        self._step()


class Cps(FakeCps):
    """The CP lives wherever it runs on this host."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def held(self, cps: Set[str]) -> Set[str]:
        return cps if self._host.runs else set()


class PoolProbe(FakeProbe):
    """A pool's processes: who is asked looks at its file, unless it hangs."""

    def __init__(self, host: Host, pool: str) -> None:
        super().__init__({})
        self._host, self._pool = host, pool

    def ask(self, within_s: float) -> Mapping[str, EngineAnswer] | None:
        if self._host.hangs or self._pool not in self._host.hosted:
            return None
        self._host.look_at_files()
        return dict.fromkeys(self._host.hosted[self._pool], EngineAnswer())


class ProcessHost(FakeProcessHost):
    """supervisord, likewise."""

    def __init__(self, files: FakeSections, step: Callable[[], None]) -> None:
        super().__init__(files)
        self._step = step

    def add(self, units: Sequence[str]) -> Mapping[str, str]:
        self._step()
        found = super().add(units)
        self._step()
        return found

    def remove(self, groups: Iterable[str]) -> None:
        self._step()
        super().remove(groups)
        self._step()


class Bus(FakeBus):
    """A manager's connection to the world's broker."""

    def __init__(self, tell: Callable[[Any], None]) -> None:
        super().__init__()
        self._tell = tell

    def publish(self, what: Any) -> bool:
        super().publish(what)
        self._tell(self.said.pop())
        return True


class Host:
    """A machine: files that last, a supervisord that takes up what they say, a CP Manager."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.fuse: int | None = None
        self.hangs = False
        #: What the pools' processes have taken up.
        self.hosted: dict[str, set[str]] = {}
        self.files, self.members = Sections(self.step), Members(self.step)
        self.power_cut()

    def power_cut(self) -> None:
        """All that runs is gone; at boot the section files say what runs."""
        self.supervisord = ProcessHost(self.files, self.step)
        self.fuse, self.hangs, self.hosted = None, False, {}
        self.supervisord.add(list(self.files.files))
        self.restart()

    def restart(self) -> None:
        """A new CP Manager."""
        self.fuse = None
        outside = ManagerPorts(
            Bus(self.publish), self.supervisord, self.files, self.members,
            lambda unit, _: PoolProbe(self, unit), Cps(self), AtCentre(), no_log, dict,
            lambda: self.world.now,
        )  # fmt: skip
        birth = m.ServiceStatus(f"manager/{self.name}", True, "b", "1")
        self.manager = CpManager(outside, self.name, birth)
        self.world.connect(self.name)

    def step(self) -> None:
        """Something has changed, or is about to."""
        self.look_at_files()
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Killed
        self.world.look()

    def publish(self, what: Any) -> None:
        """A report; a kill may come before it and after it."""
        self.step()
        if isinstance(what, m.ReconcileReport):
            self.world.reports[self.name] = what
        elif isinstance(what, m.Cleared):
            self.world.reports.pop(self.name, None)
        else:
            return
        self.world.inboxes[REGISTRY].append(what)
        self.step()

    def act(self, work: Callable[[], object]) -> None:
        """Have the manager do something, which may be its last."""
        try:
            work()
        except Killed:
            self.restart()

    def look_at_files(self) -> None:
        """Pools that start, and those that don't hang, host whom their files name."""
        units = {one.group for one in self.supervisord.processes()}
        named = {pool: set(members or {}) for pool, members in self.members.files.items()}
        self.hosted = {
            unit: self.hosted[unit]
            if self.hangs and unit in self.hosted
            else named.get(unit, set())
            for unit in units
            if pools.number(unit) is not None
        }

    @property
    def runs(self) -> int:
        """How many Engines of the CP live here."""
        own = any(one.group == CP for one in self.supervisord.processes())
        return own + sum(CP in there for there in self.hosted.values())


class World:
    """Hosts, a Registry by the rules of core.placement, a broker that keeps the last of each."""

    def __init__(self) -> None:
        self.now, self.tokens = 100.0, 0
        self.stored: m.DesiredCp | None = None
        self.told: m.DesiredCp | None = None
        self.reports: dict[str, m.ReconcileReport] = {}
        self.inboxes: dict[str, list[Any]] = {name: [] for name in (REGISTRY, *HOSTS)}
        self.last: dict[str, Any] = {}
        self.hosts: dict[str, Host] = {}
        for name in HOSTS:
            self.hosts[name] = Host(self, name)

    def look(self) -> None:
        """Never two."""
        found = {host.name: host.runs for host in self.hosts.values()}
        assert sum(found.values()) <= 1, found

    def connect(self, who: str) -> None:
        """What was on its way is lost; what the broker keeps comes."""
        self.inboxes[who] = []
        if who == REGISTRY:
            self.inboxes[who] = list(self.reports.values())
            if self.stored is not None:
                self.tell()
        elif self.told is not None:
            self.inboxes[who] = [self.told]

    def tell(self) -> None:
        """The Registry tells what is stored."""
        self.told = self.stored
        said: Any = self.stored or m.Cleared(m.DesiredCp, {"cp": CP})
        for name in HOSTS:
            self.inboxes[name].append(said)

    def commit(self, cp: m.DesiredCp | None, is_told: bool = True) -> None:
        """A change; where it isn't told, the Registry was killed just before that."""
        self.stored = cp
        if is_told:
            self.tell()
        else:
            self.connect(REGISTRY)

    def token(self) -> str:
        self.tokens += 1
        return f"t{self.tokens}"

    def want(self, host: str, hosting: str, is_told: bool) -> None:
        """Create it there, or move it there; not while it is being deleted."""
        before = self.stored
        if before is None or not before.deleted:
            after = (before or record(host))._replace(host=host, hosting=hosting)
            after = placement.pooled(before, after, lambda _: 1)
            self.commit(placement.placed(before, after, self.token), is_told)

    def delete(self, is_told: bool) -> None:
        if self.stored is not None:
            self.commit(self.stored._replace(deleted=True), is_told)

    def deliver(self, who: str) -> None:
        """The next message, to the one that it is for."""
        if self.inboxes[who]:
            self.last[who] = self.inboxes[who].pop(0)
            self.hear(who, self.last[who])

    def again(self, who: str) -> None:
        """The last message comes once more."""
        if who in self.last:
            self.hear(who, self.last[who])

    def hear(self, who: str, what: Any) -> None:
        if who != REGISTRY:
            host = self.hosts[who]
            host.act(lambda: host.manager.handle([Received(what, False)]))
        elif isinstance(what, m.ReconcileReport):
            if self.stored is None:
                self.tell()
            elif placement.released(self.stored, what):
                self.commit(None if self.stored.deleted else placement.arrived(self.stored))

    def tick(self, who: str) -> None:
        """Time passes for one host."""
        self.now += RESYNC_S
        host = self.hosts[who]
        host.act(lambda: host.manager.tick(self.now))

    def come_to_rest(self) -> None:
        """Everything is up, and all that is said arrives."""
        self.connect(REGISTRY)
        for host in self.hosts.values():
            host.hangs = False
            host.restart()
        for _ in range(8):
            for who in self.inboxes:
                while self.inboxes[who]:
                    self.deliver(who)
            for name in HOSTS:
                self.tick(name)


WHO = st.sampled_from((REGISTRY, *HOSTS))
HOST = st.sampled_from(HOSTS)
STEPS = st.one_of(
    st.tuples(st.just("want"), HOST, st.sampled_from(HOSTINGS), st.booleans()),
    st.tuples(st.just("delete"), st.booleans()),
    st.tuples(st.just("deliver"), WHO),
    st.tuples(st.just("again"), WHO),
    st.tuples(st.just("connect"), WHO),
    st.tuples(st.just("tick"), HOST),
    st.tuples(st.just("kill"), HOST, st.integers(0, 9)),
    st.tuples(st.just("power_cut"), HOST),
    st.tuples(st.just("hang"), HOST),
)


def take(world: World, step: tuple[Any, ...]) -> None:
    """One step of a history."""
    verb, *given = step
    if verb == "kill":
        host, fuse = given
        world.hosts[host].fuse = fuse
    elif verb == "power_cut":
        world.hosts[given[0]].power_cut()
    elif verb == "hang":
        world.hosts[given[0]].hangs = True
    else:
        getattr(world, verb)(*given)
    world.look()


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_never_two_holders_and_never_none_for_ever(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        take(world, step)
    world.come_to_rest()
    runs = [name for name, host in world.hosts.items() if host.runs]
    if world.stored is None:
        assert runs == []
        assert world.reports == {}
    else:
        assert not world.stored.deleted
        assert runs == [world.stored.host]
        units = {one.group for one in world.hosts[runs[0]].supervisord.processes()}
        assert units == {placement.unit(world.stored)}
        assert world.stored.previous_placement is None
        assert world.reports.keys() == {world.stored.host}
        assert world.reports[world.stored.host].placement == world.stored.placement


def test_a_new_place_waits_for_the_word_of_the_old_one() -> None:
    world = World()
    world.want("main", placement.PROCESS, True)
    world.come_to_rest()
    world.want("h2", placement.PROCESS, True)
    world.deliver("h2")
    world.tick("h2")
    assert (world.hosts["main"].runs, world.hosts["h2"].runs) == (1, 0)
    world.deliver("main")
    world.tick("main")
    world.tick("h2")
    assert (world.hosts["main"].runs, world.hosts["h2"].runs) == (0, 0)
    world.come_to_rest()
    assert (world.hosts["main"].runs, world.hosts["h2"].runs) == (0, 1)


def test_a_word_of_another_time_or_place_frees_nothing() -> None:
    moving = record("h2", "new", previous_host="main", previous_placement="old")
    report = m.ReconcileReport("main", CP, True, 1, None, None, "old")
    assert placement.released(moving, report)
    for other in (
        report._replace(released="new"),
        report._replace(released=None),
        report._replace(host="h2"),
        report._replace(host="h2", released="new"),
    ):
        assert not placement.released(moving, other)


def test_who_moves_on_before_he_has_arrived_is_still_held_by_the_first_place() -> None:
    first = record("main")
    second = placement.placed(first, first._replace(host="h2"), lambda: "t1")
    third = placement.placed(second, second._replace(host="h3"), lambda: "t2")
    assert placement.holder(third) == ("main", "t0")
    assert third.placement == "t2"
    assert placement.arrived(third).previous_host is None


@pytest.mark.parametrize(
    "change", [{"location": "yard"}, {"price_eur_kwh": "1"}, {"revoked": True}]
)
def test_what_is_no_place_moves_nothing(change: dict[str, Any]) -> None:
    cp = record("main")
    assert placement.placed(cp, cp._replace(**change), lambda: "t1") == cp._replace(**change)


def test_both_travel_on_the_bus() -> None:
    cp = record("h2", "new", previous_host="main", previous_placement="old",
                prices=(("2026-01-01T00:00:00.000Z", "0.30"),))  # fmt: skip
    report = m.ReconcileReport("main", CP, True, 1, None, None, "old")
    for message in (cp, report):
        told = topics.encode(message, "2026-01-01T00:00:00.000Z")
        assert topics.decode(told.topic, told.payload) == message


def test_a_manager_says_what_it_holds_at_each_connection() -> None:
    world = World()
    world.want("main", placement.PROCESS, True)
    world.come_to_rest()
    world.reports.clear()
    world.hosts["main"].manager.handle([Connected()])
    assert world.reports["main"].placement == "t1"
