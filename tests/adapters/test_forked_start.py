"""What exec does for a process is done for a fork of supervisord, too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import processes
from evcs.adapters.supervisord import Supervisord
from evcs.core import sections
from evcs.core.errors import EvcsError
from evcs.home import Home
from tests.adapters.conftest import HEAD
from tests.system_under_test import ROOT, eventually

FORKED = """
import atexit, json, os, random, sys
from evcs.adapters import forked_start

def tell(words):
    print(json.dumps([list(words), dict(os.environ), random.random()]), flush=True)

def fail(words):
    raise ValueError("no such thing")

def interrupt(words):
    raise KeyboardInterrupt

PLAYS = {
    "tell": tell, "fail": fail, "interrupt": interrupt,
    "code": lambda words: sys.exit(5),
    "word": lambda words: sys.exit("nothing to do"),
    "long": lambda words: print("x" * 100_000),
}
os.environ["OF_THE_PARENT"] = "1"
atexit.register(print, "the parent's end")
print("the parent's line", end="|")
for name in sys.argv[1:]:
    pid = forked_start.fork()
    if pid == 0:
        environment = {"SUPERVISOR_ENABLED": "1", "PATH": "/bin"}
        forked_start.become(PLAYS[name], ["engine", "CP-1"], environment)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(1, f"code {code}\\n".encode())
"""


def forked(*plays: str) -> str:
    """What a parent and its forks, one a play, write."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, *plays], capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def test_words_environment_and_random_numbers_are_its_own() -> None:
    lines = [json.loads(line) for line in forked("tell", "tell").splitlines() if line[0] == "["]
    assert [line[:2] for line in lines] == 2 * [
        [["engine", "CP-1"], {"SUPERVISOR_ENABLED": "1", "PATH": "/bin"}]
    ]
    assert lines[0][2] != lines[1][2]


@pytest.mark.parametrize(
    ("play", "code", "told"),
    [
        ("tell", 0, "SUPERVISOR_ENABLED"),
        ("code", 5, ""),
        ("word", 1, "nothing to do\n"),
        ("fail", 1, "ValueError: no such thing\n"),
        ("interrupt", 1, "KeyboardInterrupt"),
        ("long", 0, "x" * 100_000),
    ],
)
def test_it_ends_as_an_interpreter_does(play: str, code: int, told: str) -> None:
    found = forked(play)
    assert f"code {code}\n" in found
    assert told in found


def test_what_the_parent_holds_is_written_once_and_by_the_parent() -> None:
    found = forked("tell", "fail")
    assert found.count("the parent's line") == found.count("the parent's end") == 1
    assert found.endswith("the parent's line|the parent's end\n")


@pytest.fixture
def supervised(home: Home) -> Iterator[Callable[..., Supervisord]]:
    """Starts the home's supervisord without services, with CPs that find no broker."""
    started: list[subprocess.Popen[bytes]] = []
    found = HEAD.match((ROOT / "conf" / "supervisord.conf").read_text())
    assert found is not None
    home.supervisord_conf.write_text(found[0] + "\n")

    def go(cp_start: str, cps: int) -> Supervisord:
        for number in range(1, cps + 1):
            cp = f"CP-{number:03d}"
            (home.sections / sections.file_name(cp)).write_text(sections.render(cp))
            for role in sections.ROLES:
                home.secret(f"cp/{cp}/{role}").parent.mkdir(parents=True, exist_ok=True)
                home.secret(f"cp/{cp}/{role}").write_text("a")
        env = {**os.environ, "EVCS_HOME": str(home.path), "EVCS_PYTHON": sys.executable,
               "PYTHONPATH": str(ROOT), "EVCS_CP_START": cp_start, "SPT_NOENV": "1"}  # fmt: skip
        command = [sys.executable, "-P", "-m", "evcs", "supervisord", "-n", "-c",
                   str(home.supervisord_conf)]  # fmt: skip
        process = subprocess.Popen(command, env=env, cwd="/", stdout=subprocess.DEVNULL)
        started.append(process)
        supervisord = Supervisord(home.supervisor_socket)
        eventually("it answers", lambda: _pid(supervisord) == process.pid, 20)
        return supervisord

    yield go
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def _pid(supervisord: Supervisord) -> int:
    try:
        return supervisord.pid()
    except EvcsError:
        return 0


def _pids(supervisord: Supervisord) -> dict[str, int]:
    return {f"{p.group}:{p.name}": p.pid for p in supervisord.processes() if p.pid}


def _as_started(pid: int, home: Home) -> dict[str, Any]:
    """What the kernel says of a process, but for what is each one's own."""
    proc = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
    kept = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "CapEff")
    files = {}
    for one in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):  # a connection that was just given up
            files[int(one.name)] = str(one.readlink())
    return {
        **{name: status[name] for name in kept},
        "folder": str((proc / "cwd").readlink()),
        "leads its group": os.getpgid(pid) == pid,
        "command": processes.words(pid),
        "files": {fd: re.sub(r"[0-9]+\]", "]", where) for fd, where in files.items() if fd < 3},
        "of supervisord": [w for w in files.values() if "supervisor" in w],
        "known as of this home": pid in processes.of_home(home.path),
    }


def test_a_fork_is_set_up_as_what_is_executed(
    home: Home, supervised: Callable[..., Supervisord]
) -> None:
    found = {}
    for cp_start in ("exec", "fork"):
        supervisord = supervised(cp_start, 1)
        _both_try_to_connect(home)
        pids = _pids(supervisord)
        found[cp_start] = {who: _as_started(pid, home) for who, pid in sorted(pids.items())}
        top = supervisord.pid()
        own = {pid: _is_python(pid) for pid in pids.values()}
        os.kill(top, signal.SIGTERM)
        os.waitpid(top, 0)
        assert not any(Path(f"/proc/{pid}").exists() for pid in own)
        assert set(own.values()) == {True}
    assert found["fork"] == found["exec"]
    assert found["fork"]["CP-001:engine"]["of supervisord"] == []


def _both_try_to_connect(home: Home) -> None:
    for role in sections.ROLES:
        log = home.log / f"CP-001.{role}.log"
        eventually(f"{role} tries", partial(_says, log, "bus: "))
        log.write_text("")


def _says(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text()


def _is_python(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").readlink().name.startswith("python")


@pytest.mark.parametrize("cp_start", ["fork", "exec"])
def test_it_ends_with_supervisord(
    cp_start: str, home: Home, supervised: Callable[..., Supervisord]
) -> None:
    supervisord = supervised(cp_start, 2)
    eventually("all run", lambda: len(_pids(supervisord)) == 4)
    pids = _pids(supervisord).values()
    os.kill(supervisord.pid(), signal.SIGKILL)
    eventually("they end", lambda: not any(map(processes.lives, pids)), 5)


def test_a_stop_right_after_the_start_is_heard(
    home: Home, supervised: Callable[..., Supervisord]
) -> None:
    """Between fork and its own handlers supervisord's would take the signal, and do nothing."""
    supervisord = supervised("fork", 3)
    cps = ["CP-001", "CP-002", "CP-003"]
    for _ in range(10):
        supervisord.stop(cps)
        supervisord.start(cps)
    supervisord.stop(cps)
    log = (home.log / "supervisord.log").read_text()
    assert log.count("spawned: ") > 30
    assert "with SIGKILL" not in log


def test_why_it_ended_is_in_the_cps_log(home: Home, supervised: Callable[..., Supervisord]) -> None:
    home.lock("CP-001.engine").mkdir(parents=True)
    supervised("fork", 1)
    log = home.log / "CP-001.engine.log"
    eventually("it says why", partial(_says, log, "Is a directory"))
    supervisord_log = home.log / "supervisord.log"
    eventually("its code", lambda: "(exit status 1;" in supervisord_log.read_text())


def test_supervisord_answers_while_it_starts_a_fleet(
    start: Callable[[bool], Supervisord], home: Home
) -> None:
    """All in one turn of its loop would be none, and then all."""
    for number in range(100):
        cp = f"CP-{number:03d}"
        (home.sections / sections.file_name(cp)).write_text(sections.render(cp))
    supervisord = start(True)
    seen: set[int] = set()

    def all_run() -> bool:
        found = supervisord.processes()
        seen.add(sum(bool(one.pid) for one in found))
        # The CP Manager starts anew what has been idle for long.
        assert {one.idle_s for one in found if not one.started} <= {0}
        return max(seen) == 200

    eventually("all run", all_run, every_s=0.0)
    assert len(seen) > 2


def test_what_was_shared_and_is_waste_goes() -> None:
    """A HUP of supervisord reads all settings again; those before must not stay for ever."""
    code = """
import gc, weakref
from evcs.adapters import forked_start
class Settings: pass
one = Settings()
one.itself, gone = one, weakref.ref(one)
forked_start.share()
del one
forked_start.share()
print(gone() is None, gc.get_freeze_count() > 0)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "True True\n"
