"""The CP Manager's passes over a real supervisord: outdated sections, many CPs at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from evcs.adapters import engine_health
from evcs.adapters.cp_keys import AtCentre
from evcs.adapters.cp_traces import CpTraces
from evcs.adapters.pool_files import PoolFiles
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord
from evcs.core import messages as m
from evcs.core import sections
from evcs.core.health import EngineAnswer
from evcs.core.ports import Received
from evcs.home import Home
from evcs.runtime.loop import Loop
from evcs.services.cp_manager.reconciler import ADD_AT_ONCE
from evcs.services.cp_manager.service import RESYNC_S, CpManager, ManagerPorts
from tests.adapters.conftest import Start
from tests.system_under_test import eventually
from tests.unit.fakes import FakeBus
from tests.unit.host_fakes import no_log

CP = "CP-1"
DESIRED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)
BIRTH = m.ServiceStatus("manager/main", True, "boot", "1")


class Engine:
    """Answers as an Engine would, about a session or none."""

    def __init__(self, home: Home) -> None:
        self.session: str | None = "S"
        self._loop = Loop()
        engine_health.listen(self._loop, home.engine_socket(CP), self._answer)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._loop.turn()

    def _answer(self) -> engine_health.Answers:
        return {CP: EngineAnswer(session_id=self.session, supplying=bool(self.session))}


def _pids(supervisord: Supervisord) -> set[int]:
    def running() -> set[int]:
        found = {p.pid for p in supervisord.processes() if p.group == CP and p.pid}
        return found if len(found) == len(sections.ROLES) else set()

    return set(eventually("both run", running, 20))


def _manager(home: Home, supervisord: Supervisord, now: Callable[[], float]) -> CpManager:
    outside = ManagerPorts(
        FakeBus(), supervisord, SectionFiles(home.sections), PoolFiles(home.pools),
        lambda cp, _: engine_health.Probe(home.engine_socket(cp)), CpTraces(home), AtCentre(),
        no_log, dict, now,
    )  # fmt: skip
    return CpManager(outside, "main", BIRTH)


def test_it_is_started_anew_once_when_it_is_free(home: Home, start: Start) -> None:
    path = home.sections / sections.file_name(CP)
    path.write_text(sections.render(CP).replace("stopwaitsecs=10", "stopwaitsecs=9"))
    supervisord, now = start(True), [100.0]
    manager = _manager(home, supervisord, lambda: now[0])
    engine, old = Engine(home), _pids(supervisord)

    def whole_pass() -> set[int]:
        now[0] += RESYNC_S + 1.0
        manager.tick(now[0])
        return _pids(supervisord)

    manager.handle([Received(DESIRED, True)])
    assert whole_pass() == old, "it supplies"
    assert path.read_text() == sections.render(CP)
    engine.session = None
    new = whole_pass()
    assert not new & old
    assert whole_pass() == new
    assert whole_pass() == new


class Counting(Supervisord):
    """Notes how many CPs each call takes up."""

    def __init__(self, home: Home) -> None:
        super().__init__(home.supervisor_socket)
        self.taken: list[int] = []

    def add(self, cps: Sequence[str]) -> dict[str, str]:
        self.taken.append(len(cps))
        return super().add(cps)


def test_many_are_taken_up_a_few_at_a_time(home: Home, start: Start) -> None:
    """supervisord empties no pipe while it starts what one call named."""
    start(True)
    supervisord, cps = Counting(home), [f"CP-{n}" for n in range(2 * ADD_AT_ONCE + 1)]
    manager = _manager(home, supervisord, lambda: 100.0)
    manager.handle([Received(DESIRED._replace(cp=cp, id=cp), True) for cp in cps])
    manager.tick(100.0)
    assert supervisord.taken == [ADD_AT_ONCE, ADD_AT_ONCE, 1]
    assert supervisord.groups() == set(cps)
