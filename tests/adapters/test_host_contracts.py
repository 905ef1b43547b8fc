"""What a service may expect of its host: of the real parts, and of the fakes that tests put in."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from evcs.adapters.section_files import SectionFiles
from evcs.core import sections
from evcs.core.cp_manager_ports import ProcessHost, SectionStore
from evcs.home import Home
from tests.adapters.conftest import Start
from tests.system_under_test import eventually
from tests.unit.host_fakes import FakeProcessHost, FakeSections


class Host(NamedTuple):
    """A process host, and the files by which it runs CPs."""

    files: SectionStore
    processes: ProcessHost

    def pids(self, cp: str) -> set[int]:
        """Those of a CP whose processes all run."""

        def running() -> set[int]:
            found = {one.pid for one in self.processes.processes() if one.group == cp and one.pid}
            return found if len(found) == len(sections.ROLES) else set()

        return set(eventually(f"{cp} runs", running, 20))

    def groups(self) -> set[str]:
        """What it holds."""
        return {one.group for one in self.processes.processes()}


@pytest.fixture(params=["real", "fake"])
def host(request: pytest.FixtureRequest) -> Host:
    if request.param == "fake":
        files = FakeSections()
        return Host(files, FakeProcessHost(files))
    home: Home = request.getfixturevalue("home")
    start: Start = request.getfixturevalue("start")
    return Host(SectionFiles(home.sections), start(True))


def test_what_is_taken_up_runs_until_it_is_taken_down(host: Host) -> None:
    host.files.write("CP-1")
    assert host.processes.add(["CP-1"]) == {}
    pids = host.pids("CP-1")
    assert host.processes.add(["CP-1"]) == {}
    assert host.pids("CP-1") == pids, "it was there already"
    host.processes.remove(["CP-1"])
    assert host.pids("CP-1") == pids, "it runs"
    host.processes.stop(["CP-1"])
    assert not any(one.pid for one in host.processes.processes())
    host.processes.start(["CP-1"])
    assert not host.pids("CP-1") & pids
    host.processes.stop(["CP-1"])
    host.processes.remove(["CP-1"])
    assert host.groups() == set()


def test_what_is_to_end_ends_by_itself_and_what_is_killed_is_back(host: Host) -> None:
    for cp in ("CP-1", "CP-2"):
        host.files.write(cp)
        assert host.processes.add([cp]) == {}
    first, second = host.pids("CP-1"), host.pids("CP-2")
    host.processes.begin_stop(["CP-1"])

    def left() -> set[int]:
        found = {one.pid for one in host.processes.processes() if one.pid}
        return found if found <= second else set()

    assert eventually("CP-1 has ended", left, 20) == second
    host.processes.start(["CP-1"])
    assert not host.pids("CP-1") & first
    host.processes.kill("CP-2:engine")
    host.processes.kill("CP-3:engine")
    eventually("another one", lambda: len(host.pids("CP-2") - second) == 1, 20)


def test_what_has_no_section_is_not_taken_up_and_said(host: Host) -> None:
    host.files.write("CP-1")
    assert host.processes.add(["CP-1", "CP-2"]).keys() == {"CP-2"}
    assert host.groups() == {"CP-1"}


def test_on_reading_its_files_it_says_what_differs_and_acts_on_nothing(host: Host) -> None:
    for cp in ("CP-1", "CP-2"):
        host.files.write(cp)
    host.processes.add(["CP-1"])
    pids = host.pids("CP-1")
    host.files.erase("CP-1")
    found = host.processes.reload()
    assert found.added == {"CP-2"}
    assert found.removed == {"CP-1"}
    assert host.pids("CP-1") == pids
    assert host.groups() == {"CP-1"}


def test_a_section_is_there_or_not(host: Host) -> None:
    files = host.files
    files.write("CP-1")
    assert files.texts(["CP-1", "CP-2"]) == {"CP-1": sections.render("CP-1")}
    assert list(files.unexpected()) == []
    files.erase("CP-1")
    files.erase("CP-1")
    assert files.texts(["CP-1"]) == {}
