"""A real supervisord with the extension, and one without, as an earlier version started it."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

from evcs.core import sections
from evcs.core.errors import Unreachable
from evcs.home import Home
from tests.adapters.conftest import Start
from tests.system_under_test import eventually


def _write(home: Home, *cps: str) -> None:
    for cp in cps:
        (home.sections / sections.file_name(cp)).write_text(sections.render(cp))


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "of-an-earlier-version"])
def test_groups_are_taken_up_and_told_alike(home: Home, start: Start, extended: bool) -> None:
    supervisord = start(extended)
    assert supervisord.processes() == []
    _write(home, "CP-1", "CP-2")
    assert supervisord.add(["CP-2", "CP-1"]) == {}
    assert supervisord.add(["CP-1"]) == {}, "there already"
    names = {f"{cp}:{role}" for cp in ("CP-1", "CP-2") for role in sections.ROLES}
    eventually(
        "they run",
        lambda: {f"{p.group}:{p.name}" for p in supervisord.processes() if p.pid} == names,
    )
    for process in supervisord.processes():
        assert process.state in ("STARTING", "RUNNING")
        assert Path(f"/proc/{process.pid}").exists()
        assert 0 <= process.idle_s < 60
        assert (process.error, process.exit_code) == ("", 0)
    # What the clock changes between two calls aside.
    ours, plain = (
        [one._replace(state="", idle_s=0) for one in found]
        for found in (supervisord.processes(), supervisord._processes_in_full())
    )
    assert ours == plain
    supervisord.stop(["CP-1", "CP-2"])
    supervisord.remove(["CP-1", "CP-2"])
    assert supervisord.processes() == []


def test_a_call_leaves_no_socket_open(home: Home, start: Start) -> None:
    supervisord = start(True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        assert supervisord.pid()
        home.supervisor_socket.rename(home.run / "elsewhere")
        with pytest.raises(Unreachable):
            supervisord.pid()
        (home.run / "elsewhere").rename(home.supervisor_socket)
    assert [str(one.message) for one in told] == []


def test_what_was_taken_up_alone_is_what_all_files_say(home: Home, start: Start) -> None:
    supervisord = start(True)
    _write(home, "CP-1", "CP-2")
    supervisord.add(["CP-1", "CP-2"])
    found = supervisord.reload()
    assert (found.added, found.changed, found.removed) == (frozenset(),) * 3


def test_one_that_cannot_be_read_keeps_no_other_out(home: Home, start: Start) -> None:
    supervisord = start(True)
    _write(home, "CP-1", "CP-5")
    (home.sections / "CP-2.conf").write_text("no section\n")
    (home.sections / "CP-3.conf").write_text(sections.render("CP-4"))
    (home.sections / "CP-6.conf").write_bytes(b"\xff\xfe")
    shutil.copytree(home.sections, home.sections / "CP-7.conf")
    odd = "../CP-1"
    failed = supervisord.add(["CP-1", "CP-2", "CP-3", "CP-6", "CP-7", "CP-8", odd, "CP-5"])
    assert failed.keys() == {"CP-2", "CP-3", "CP-6", "CP-7", "CP-8", odd}
    assert all(failed.values())
    assert {p.group for p in supervisord.processes()} == {"CP-1", "CP-5"}
