"""What `evcs up` does before and around supervisord: a home made ready, started, stopped."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from evcs.adapters import broker_accounts, secret_files
from evcs.adapters.files import hold_lock, make_folder, write_atomic
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import Supervisord, supervisord_pid
from evcs.config import INSTALL_ROOT, Home, Settings
from evcs.core import messages as m
from evcs.core.errors import BadValue, Conflict, EvcsError, TimedOut, Unreachable
from evcs.core.ids import RESERVED
from evcs.core.reconcile import wanted_here
from evcs.services.registry.service import accounts, open_store

STATIC = ("mosquitto.conf", "conf/supervisord.conf", "conf/mosquitto.acl")
FDS_A_CP = 6
FDS_BASE = 256
MIN_FDS = 4096
ENDED = frozenset({"STOPPED", "EXITED", "FATAL"})
END_WITHIN_S = 60.0

Say = Callable[[str], None]


def prepare(settings: Settings, say: Say) -> dict[str, m.DesiredCp]:
    """Make the home ready for supervisord; what was there of desired state is only read."""
    home = settings.home
    if settings.host != "main":
        raise BadValue(f"setting host: {settings.host!r}", "only main has an account so far")
    _folders(home)
    _static_files(home, say)
    cps, drivers = _desired(home)
    _sections(home, settings.host, cps, say)
    if not home.operator_token.exists():
        secret_files.create(home, "operator.token")
    broker_accounts.write(home, accounts(home, cps, drivers))
    _listeners(settings)
    return cps


def _folders(home: Home) -> None:
    for folder in (home.path, home.path / "conf", home.sections, home.log):
        make_folder(folder)
    for folder in (home.data, home.run, home.data / "secrets", home.data / "journals"):
        make_folder(folder, 0o700)
    for folder in (home.run / "cp", home.run / "lock", home.run / "mosquitto.d"):
        make_folder(folder, 0o700)


def _static_files(home: Home, say: Say) -> None:
    """A home beside the checkout gets the checkout's files; what differed is kept as *.old."""
    if home.path == INSTALL_ROOT:
        return
    for name in STATIC:
        wanted = (INSTALL_ROOT / name).read_bytes()
        path = home.path / name
        if path.exists() and path.read_bytes() == wanted:
            continue
        if path.exists():
            path.replace(path.with_name(path.name + ".old"))
            say(f"{path} differed from this version's; kept as {path.name}.old")
        write_atomic(path, wanted)


def _desired(home: Home) -> tuple[dict[str, m.DesiredCp], frozenset[str]]:
    db = open_store(home)
    return db.cps(), frozenset(db.drivers())


def _sections(home: Home, host: str, cps: dict[str, m.DesiredCp], say: Say) -> None:
    """One file that supervisord can't read would keep it from starting at all."""
    files = SectionFiles(home.sections)
    for path in files.misfits():
        desired = cps.get(path.stem)
        goal = files.set_aside(path)
        say(f"{path} was not as it should be; set aside as {goal.name}")
        if desired is not None and wanted_here(desired, host):
            files.write(path.stem)


def _listeners(settings: Settings) -> None:
    owner = pwd.getpwuid(settings.home.path.stat().st_uid).pw_name
    text = (
        "# Rendered by `evcs up` from the settings; changes here are lost.\n"
        f"user {owner}\n"
        f"listener {settings.mqtt_port} 127.0.0.1\n"
    )
    write_atomic(settings.home.run / "mosquitto.d" / "listeners.conf", text.encode())


def running(settings: Settings) -> int | None:
    """supervisord's pid, if it runs for this home."""
    if supervisord_pid(settings.home) is None:
        return None
    try:
        return Supervisord(settings.home.supervisor_socket).pid()
    except Unreachable:
        pid = supervisord_pid(settings.home)
        if pid is None:
            return None
        raise Unreachable(
            f"supervisord (pid {pid}) runs and does not answer", f"kill -9 {pid} ends all of it"
        ) from None


def start(settings: Settings, say: Say, foreground: bool = False) -> bool:
    """Start the system; False where it runs already."""
    home = settings.home
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
        _check_ports(settings)
        cps = prepare(settings, say)
        fds = descriptors(len(cps))
        command = [
            sys.executable, "-m", "supervisor.supervisord", "-c", str(home.supervisord_conf),
            "-a", str(fds),
        ]  # fmt: skip
        if foreground:
            os.chdir(home.path)
            os.execve(sys.executable, [*command, "-n"], environment(settings))
        done = subprocess.run(
            command, cwd=home.path, env=environment(settings), capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word why"]
            raise EvcsError(f"supervisord did not start: {last[0]}", "see log/supervisord.log")
        # It leaves the terminal before it writes its pid file and answers.
        _wait_until(lambda: running(settings) is not None, "supervisord does not answer")
        return True
    finally:
        os.close(lock)


def _complete(settings: Settings, say: Say) -> None:
    """Services that a `down` cut short, or a hand, has left out are started again."""
    supervisord = Supervisord(settings.home.supervisor_socket)
    there = {process.group: process for process in supervisord.processes()}
    missing = sorted(RESERVED - there.keys())
    ended = sorted(name for name in RESERVED & there.keys() if there[name].state in ENDED)
    if missing:
        supervisord.reload()
        for name in missing:
            supervisord.add(name)
    supervisord.start_anew(f"{name}:{name}" for name in ended)
    if missing or ended:
        say(f"started again: {', '.join([*missing, *ended])}")


def descriptors(cps: int) -> int:
    """Open files that supervisord needs for a fleet, with room to grow. Raises EvcsError."""
    wanted = max(MIN_FDS, 2 * (FDS_BASE + FDS_A_CP * cps))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        return wanted
    if capacity(hard) < max(cps, 1):
        raise EvcsError(
            f"the limit of {hard} open files carries {capacity(hard)} CPs; {max(cps, 1)} needed",
            f"raise it: ulimit -n {wanted}",
        )
    return int(hard)


def capacity(descriptors: int) -> int:
    """How many CPs a supervisord with that many open files can keep."""
    return max((descriptors - FDS_BASE) // FDS_A_CP, 0)


def check_room(settings: Settings, cps: int) -> None:
    """Refuse a fleet of that size where the running supervisord can't carry it."""
    pid = running(settings)
    if pid is None:
        return
    soft, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if capacity(soft) < cps:
        raise EvcsError(
            f"supervisord may open {soft} files, which carries {capacity(soft)} CPs; "
            f"{cps} are wanted",
            "raise ulimit -n if it is low, then: evcs restart",
        )


def environment(settings: Settings) -> dict[str, str]:
    """What supervisord and its children get: as little as there needs to be."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME") or name.startswith("EVCS_")
    }
    path = kept.get("PATH", "/usr/bin:/bin")
    return {
        **kept,
        "PATH": f"{path}:/usr/sbin:/sbin",
        "EVCS_HOME": str(settings.home.path),
        "EVCS_MQTT_PORT": str(settings.mqtt_port),
        "EVCS_WEB_PORT": str(settings.web_port),
        "EVCS_REGISTRY_PORT": str(settings.registry_port),
        "EVCS_TIME_SCALE": f"{settings.time_scale:g}",
        "EVCS_PYTHON": sys.executable,
        "PYTHONPATH": str(INSTALL_ROOT),
    }


def _check_ports(settings: Settings) -> None:
    for name, port in (
        ("mqtt_port", settings.mqtt_port),
        ("web_port", settings.web_port),
        ("registry_port", settings.registry_port),
    ):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                variable = f"EVCS_{name.upper()}"
                raise Conflict(
                    f"port {port} can't be had: {error.strerror} ({port_holder(port)})",
                    f"choose another with {variable}, or end what holds it",
                ) from None


def port_holder(port: int) -> str:
    """Who listens on a TCP port of this machine, as far as may be seen."""
    return listener(port)[1] or "holder unknown"


def listener(port: int) -> tuple[int | None, str | None]:
    """Pid and name of who listens on a TCP port; no name where nobody does."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[1].endswith(f":{wanted}"):
                return _process_of(f"socket:[{fields[9]}]")
    return None, None


def _process_of(link: str) -> tuple[int | None, str]:
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(fd.readlink()) == link:
                pid = fd.parts[2]
                return int(pid), f"{Path('/proc', pid, 'comm').read_text().strip()}, pid {pid}"
        except OSError:
            continue
    return None, "another user's process"


def stop(settings: Settings) -> bool:
    """Stop everything in order; False where nothing runs."""
    supervisord = Supervisord(settings.home.supervisor_socket)
    pid = running(settings)
    if pid is None:
        return False
    # By itself supervisord stops one group after the other, about a second each.
    groups = supervisord.groups()
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
    _wait_until(lambda: not _alive(pid), f"supervisord (pid {pid}) has not ended")
    return True


def _wait_until(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + END_WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise TimedOut(otherwise, "see: evcs status")
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


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
    _wait_until(lambda: not any(_alive(pid) for pid in pids), "some processes have not ended")
    return len(pids)


def require_programs() -> None:
    """Name what the machine lacks. Raises EvcsError."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for program in ("mosquitto", "setpriv"):
        if shutil.which(program, path=path) is None:
            raise EvcsError(f"{program} is not installed", "run install.sh")
