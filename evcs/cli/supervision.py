"""supervisord started, completed, stopped, killed: the whole system by one pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from evcs.adapters import processes
from evcs.adapters.files import hold_lock, make_folder
from evcs.adapters.supervisord import Ending, Supervisord, silent, supervisord_pid
from evcs.cli import prepare, tcp_ports
from evcs.config import Settings
from evcs.core.errors import Conflict, Denied, EvcsError, TimedOut, Unreachable
from evcs.core.fleet_size import NO_CPS, FleetSize
from evcs.core.ids import RESERVED
from evcs.home import Home

ANSWER_WITHIN_S = 300.0
END_WITHIN_S = 60.0
#: Hundreds of processes whose supervisord was killed.
ENDING_WITHIN_S = 5.0
ENDED = frozenset({"STOPPED", "EXITED", "FATAL"})

Say = Callable[[str], None]


def quiet(_text: str) -> None:
    """Say nothing."""


def require_programs(settings: Settings) -> None:
    """Name what the machine lacks. Raises EvcsError."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in ("setpriv",) if settings.is_joined else ("mosquitto", "setpriv"):
        if shutil.which(program, path=path) is None:
            raise EvcsError(f"{program} is not installed", "run install.sh")


def running(settings: Settings) -> int | None:
    """supervisord's pid, if it runs for this home."""
    pid = supervisord_pid(settings.home)
    if pid is None:
        return None
    if processes.is_stopped(pid):
        raise silent(pid)
    try:
        return Supervisord(settings.home.supervisor_socket).pid()
    except Ending:
        raise
    except Unreachable:
        pid = supervisord_pid(settings.home)
        if pid is None:
            return None
        raise silent(pid) from None


def require_own(home: Home) -> None:
    """In another's home root's files would stop the owner's system. Raises Denied."""
    with suppress(FileNotFoundError):
        owner = home.path.stat().st_uid
        if owner != os.geteuid():
            raise Denied(
                f"the home {home.path} is another user's (uid {owner})",
                "run this as its owner, or choose another home: export EVCS_HOME=...",
            )


def start(
    settings: Settings,
    say: Say,
    foreground: bool = False,
    room_for: FleetSize = NO_CPS,
    stage: Say = quiet,
) -> bool:
    """Start the system, with limits for so many CPs at least; False where it runs already."""
    home = settings.home
    require_own(home)
    make_folder(home.path)
    make_folder(home.run, 0o700)
    lock = hold_lock(home.lock("up"), "evcs up")
    try:
        pid = running(settings)
        if pid is not None and foreground:
            raise Conflict(f"the system runs already (pid {pid})", "end it first: evcs down")
        if pid is not None:
            _complete(settings, say)
            return False
        _wait_for_ports(settings)
        fds = prepare.prepare(settings, say, room_for)
        stage("starting broker, services and CPs")
        _launch(settings, fds, foreground)
        # It leaves the terminal before it writes its pid file, and answers once it has started
        # all of a fleet's processes.
        _wait_until(lambda: _answers(settings), "supervisord does not answer", ANSWER_WITHIN_S)
        return True
    finally:
        os.close(lock)


def _wait_for_ports(settings: Settings) -> None:
    """What a killed supervisord ran may still be ending. Raises Conflict."""
    deadline = time.monotonic() + ENDING_WITHIN_S
    while True:
        try:
            return tcp_ports.check_ports(settings)
        except Conflict:
            was_killed = settings.home.supervisord_pid.exists()
            if not was_killed or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _launch(settings: Settings, descriptors: int, foreground: bool) -> None:
    """Become supervisord, or start one that leaves the terminal. Raises EvcsError."""
    home = settings.home
    command = [
        sys.executable, "-P", "-m", "evcs", "supervisord",
        "-c", str(home.supervisord_conf), "-a", str(descriptors),
    ]  # fmt: skip
    if foreground:
        os.chdir(home.path)
        os.umask(prepare.UMASK)
        os.execve(sys.executable, [*command, "-n"], prepare.environment(settings))
    done = subprocess.run(
        command,
        cwd=home.path,
        umask=prepare.UMASK,
        env=prepare.environment(settings),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word why"]
        raise EvcsError(f"supervisord did not start: {last[0]}", "see log/supervisord.log")


def _answers(settings: Settings) -> bool:
    try:
        return running(settings) is not None
    except Unreachable:
        return False


def _complete(settings: Settings, say: Say) -> None:
    """Services that a `down` cut short, or a hand, has left out are started again."""
    supervisord = Supervisord(settings.home.supervisor_socket)
    there = {process.group: process for process in supervisord.processes()}
    missing = sorted(settings.services - there.keys())
    ended = sorted(name for name in settings.services & there.keys() if there[name].state in ENDED)
    for name, error in supervisord.add_reloaded(missing).items():
        raise EvcsError(f"{name} can't be started: {error}", "see log/supervisord.log")
    supervisord.start_anew(f"{name}:{name}" for name in ended)
    if missing or ended:
        say(f"started again: {', '.join([*missing, *ended])}")


def stop(settings: Settings, stage: Say = quiet) -> bool:
    """Stop everything in order; False where nothing runs."""
    supervisord = Supervisord(settings.home.supervisor_socket)
    pid = running(settings)
    if pid is None:
        return False
    # By itself supervisord stops one group after the other, about a second each.
    groups = supervisord.groups()
    stage(f"stopping {len(groups - RESERVED)} CPs and the services")
    # The CP Manager goes first: it would start again what it finds stopped.
    first, last = frozenset({"cp-manager"}), frozenset({"mosquitto"})
    for layer in (
        groups & first,
        groups - RESERVED,
        groups & RESERVED - first - last,
        groups & last,
    ):
        supervisord.stop(layer, END_WITHIN_S)
        supervisord.remove(layer)
    supervisord.shutdown()
    _wait_until(lambda: not processes.lives(pid), f"supervisord (pid {pid}) has not ended")
    return True


def kill_everything(settings: Settings) -> int:
    """SIGKILL to supervisord and all its children at once, as a power cut would; how many."""
    supervisord = Supervisord(settings.home.supervisor_socket)
    pids = [process.pid for process in supervisord.processes() if process.pid]
    pids.insert(0, supervisord.pid())
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _wait_until(lambda: not any(map(processes.lives, pids)), "some processes have not ended")
    return len(pids)


def _wait_until(done: Callable[[], bool], otherwise: str, within_s: float = END_WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            raise TimedOut(otherwise, "see: evcs status")
        time.sleep(0.02)
