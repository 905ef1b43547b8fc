"""The CP Manager's passes, over a host of which the test knows everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evcs.adapters.cp_keys import AtCentre
from evcs.core import messages as m
from evcs.core import sections
from evcs.core.errors import OtherFormat
from evcs.core.health import EngineAnswer
from evcs.core.ports import Received
from evcs.services.cp_manager.reconciler import REVOKED_WITHIN_S
from evcs.services.cp_manager.service import RESYNC_S, WAITING_S, CpManager, ManagerPorts
from tests.unit.fakes import FakeBus, FakeProbe
from tests.unit.host_fakes import FakeCps, FakeMembers, FakeProcessHost, FakeSections, no_log

CP = "CP-1"
WANTED = m.DesiredCp(CP, CP, "in", "0.30", 22_000, "", "main", False, False, 1)._replace(
    placement="t1"
)
NEXT = WANTED._replace(cp="CP-2", id="CP-2")
DELETED = WANTED._replace(deleted=True, revision=2)
REVOKED = WANTED._replace(revoked=True, revision=2)
BIRTH = m.ServiceStatus("manager/main", True, "boot", "1")


class Stage:
    """A CP Manager, and all that it works on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.bus, self.files = FakeBus(), FakeSections()
        self.host = FakeProcessHost(self.files)
        self.engine: dict[str, EngineAnswer] = {}
        self.members, self.cps = FakeMembers(), FakeCps()
        self.keys = AtCentre()
        self.start_anew()

    def start_anew(self) -> None:
        """The CP Manager, as after its end."""
        outside = ManagerPorts(
            self.bus, self.host, self.files, self.members, lambda *_: FakeProbe(self.engine),
            self.cps, self.keys, no_log, dict, lambda: self.now,
        )  # fmt: skip
        self.manager = CpManager(outside, "main", BIRTH)

    def hear(self, *messages: m.Message | m.Cleared) -> list[Any]:
        """Have it hear these and act on them; what it says then."""
        self.manager.handle([Received(one, False) for one in messages])
        return self.after(0.0)

    def after(self, seconds: float) -> list[Any]:
        """What it says in the next so many seconds."""
        self.now += seconds
        self.manager.tick(self.now)
        return self.bus.taken()

    def groups(self) -> set[str]:
        """What runs."""
        return {one.group for one in self.host.processes() if one.pid}

    def supplies(self, on: bool) -> None:
        """The CP's Engine says so."""
        self.engine = {CP: EngineAnswer(session_id="S" if on else None, supplying=on)}


def report(revision: int, **more: str | None) -> m.ReconcileReport:
    return m.ReconcileReport("main", CP, True, revision, **more)


def test_what_is_wanted_runs_and_is_reported_once() -> None:
    stage = Stage()
    assert stage.hear(WANTED) == [report(1, placement="t1")]
    assert stage.files.files == {CP: sections.render(CP)}
    assert stage.groups() == {CP}
    assert stage.hear(WANTED) == []
    assert stage.after(RESYNC_S) == []


class OtherKeys(AtCentre):
    """Of a centre that does not speak as we do."""

    def fetch(self, revisions: Mapping[str, int]) -> None:
        if revisions:
            raise OtherFormat("we don't speak alike", "upgrade")


def test_what_is_not_understood_touches_nothing_and_is_told() -> None:
    stage = Stage()
    stage.hear(WANTED)
    stage.keys = OtherKeys()
    stage.start_anew()
    assert stage.hear(WANTED, NEXT) == [
        m.ReconcileReport("main", cp, False, 1, "we don't speak alike") for cp in (CP, "CP-2")
    ]
    assert stage.after(RESYNC_S) == []
    assert stage.groups() == {CP}, "what runs goes on"
    stage.keys = AtCentre()
    stage.start_anew()
    assert len(stage.hear(WANTED, NEXT)) == 2
    assert stage.groups() == {CP, "CP-2"}


def test_what_no_record_explains_is_left_alone() -> None:
    stage = Stage()
    stage.files.write("CP-9")
    stage.host.add(["CP-9"])
    stage.hear(WANTED)
    stage.after(RESYNC_S)
    assert stage.groups() == {CP, "CP-9"}


def test_a_deleted_cp_goes_when_its_supply_has_ended() -> None:
    stage = Stage()
    stage.hear(WANTED)
    stage.supplies(True)
    assert stage.hear(DELETED) == []
    assert stage.after(WAITING_S) == []
    assert stage.groups() == {CP}
    stage.supplies(False)
    assert stage.after(WAITING_S) == [report(2, released="t1")]
    assert (stage.groups(), stage.files.files, stage.cps.removed) == (set(), {}, [CP])
    (gone,) = stage.hear(m.Cleared(m.DesiredCp, {"cp": CP}))
    assert gone == m.Cleared(m.ReconcileReport, {"host": "main", "cp": CP})


def test_a_revoked_one_has_a_moment_to_open_its_contactor() -> None:
    stage = Stage()
    stage.hear(WANTED)
    stage.supplies(True)
    assert stage.hear(REVOKED) == []
    assert stage.groups() == {CP}
    assert stage.after(REVOKED_WITHIN_S) == [report(2)]
    assert (stage.groups(), stage.cps.removed) == (set(), [])


def test_a_file_that_is_not_ours_is_out_of_the_way_before_all_are_read() -> None:
    stage = Stage()
    stage.files.files["CP-9"] = "[program:mine]"
    stage.hear(WANTED)
    assert stage.files.files == {CP: sections.render(CP)}
