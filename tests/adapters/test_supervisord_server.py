"""What supervisord reads is the same with our reader of its files as with its own."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from supervisor.loggers import getLogger
from supervisor.options import ServerOptions, UnhosedConfigParser
from supervisor.states import ProcessStates

from evcs.adapters import forked_start, supervisord_server
from evcs.core import sections
from tests.system_under_test import ROOT

REPEATED = "[program:central]\ncommand=true\npriority=77\n"
DEFAULTS = "[DEFAULT]\nautostart=false\n[program:x]\ncommand=true\n"
HERE = "[program:y]\ncommand=%(here)s/y\ndirectory=%(here)s\n"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own file with three CPs."""
    for folder in ("conf/supervisord.d", "run", "log"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "conf" / "supervisord.conf", tmp_path / "conf")
    monkeypatch.setenv("EVCS_HOME", str(tmp_path))
    monkeypatch.setenv("EVCS_PYTHON", "/usr/bin/python3")
    for cp in ("CP-1", "CP-2", "CP-3"):
        (tmp_path / "conf" / "supervisord.d" / f"{cp}.conf").write_text(sections.render(cp))
    return tmp_path / "conf"


def as_read(conf: Path) -> tuple[Any, ...]:
    """Everything that supervisord makes of its files."""
    options = ServerOptions()
    options.realize(["-c", str(conf / "supervisord.conf")])
    groups = [
        (group.name, group.priority, [_fields(one) for one in group.process_configs])
        for group in options.process_group_configs
    ]
    return groups, options.minfds, options.logfile


def _fields(config: Any) -> dict[str, str]:
    return {key: str(value) for key, value in vars(config).items() if key != "options"}


def with_ours(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(UnhosedConfigParser, "read", supervisord_server.read)
        patch.setattr(UnhosedConfigParser, "expand_here", supervisord_server.expand_here)
        return act()


@pytest.mark.parametrize("more", ["", REPEATED, DEFAULTS, HERE], ids=["fleet", "again", "default",
                                                                      "here"])  # fmt: skip
def test_the_same_comes_of_the_same_files(
    conf: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    (conf / "supervisord.d" / "CP-20.conf").write_text(more or sections.render("CP-20"))
    plain = as_read(conf)
    assert with_ours(monkeypatch, lambda: as_read(conf)) == plain
    assert len(plain[0]) >= 8


def test_a_file_that_does_not_parse_is_refused_alike(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (conf / "supervisord.d" / "odd.conf").write_text("no section\n")
    for act in (lambda: as_read(conf), lambda: with_ours(monkeypatch, lambda: as_read(conf))):
        with pytest.raises((SystemExit, ValueError)):
            act()


def test_a_fork_that_fails_is_tried_again_and_holds_up_no_other(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = supervisord_server.Options(supervisord_server.Forked((), lambda _: None), ())
    options.realize(["-c", str(conf / "supervisord.conf")])
    options.logger = getLogger()
    groups = [one.make_group() for one in options.process_group_configs if "CP-" in one.name]
    processes = [one for group in groups for one in group.processes.values()]
    before = _pipes()
    pids = iter(range(1_000_001, 1_000_100))

    def fork() -> int:
        pid = next(pids)
        if pid % 2:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return pid

    monkeypatch.setattr(forked_start, "fork", fork)
    monkeypatch.setattr(os, "waitpid", lambda *_: (0, 0))
    for one in processes:
        one.spawn()
    assert {one.state for one in processes} == {ProcessStates.STARTING}
    assert not any(one.pid for one in processes)
    options.waitpid()
    failed, there = processes[::2], processes[1::2]
    assert {one.state for one in failed} == {ProcessStates.BACKOFF}
    assert all("Resource temporarily unavailable" in one.spawnerr for one in failed)
    assert [options.pidhistory[one.pid] for one in there] == there
    for one in there:
        options.close_parent_pipes(one.pipes)
    assert _pipes() == before


def _pipes() -> int:
    """Ends of pipes that this process holds."""
    links = Path("/proc/self/fd").iterdir()
    return sum(link.is_symlink() and str(link.readlink()).startswith("pipe:") for link in links)
