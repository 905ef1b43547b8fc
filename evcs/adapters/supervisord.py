"""supervisord over its unix socket, as its XML-RPC interface has it.

supervisor's own transport knows no timeout, and a client must not hang with a hung
supervisord; so the few lines of transport are here.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import time
import xmlrpc.client
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from evcs.adapters import heartbeat, processes
from evcs.core.cp_manager_ports import Process, Reload
from evcs.core.errors import Denied, EvcsError, TimedOut, Unreachable
from evcs.home import Home

TIMEOUT_S = 20.0
#: For who only looks: it answers between the starts of processes, each some ms.
LOOK_TIMEOUT_S = 5.0
POLL_S = 0.02
UNKNOWN_METHOD, SHUTDOWN_STATE, ALREADY_ADDED, BAD_NAME, NOT_RUNNING = 1, 6, 90, 10, 70

_log = logging.getLogger("evcs")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path, self._timeout_s = path, timeout_s

    def connect(self) -> None:
        pid = _told_pid(Path(self._path))
        if pid is not None and processes.is_stopped(pid):
            raise TimeoutError  # it would not answer within any time
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._timeout_s)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path, self._timeout_s = str(path), timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # As the base class does, which closes it at the end.
        self._connection = host, _Connection(self._path, self._timeout_s)
        return self._connection[1]


def supervisord_pid(home: Home) -> int | None:
    """The pid of the home's supervisord, by its pid file, if that process is one and lives.

    Raises Denied where the home doesn't let the caller see that.
    """
    try:
        text = home.supervisord_pid.read_text()
    except PermissionError:
        raise Denied(f"{home.path} belongs to another user", "run this as its owner") from None
    except OSError:
        return None
    try:
        pid = int(text)
        words = processes.words(pid)
    except (OSError, ValueError):
        return None
    # The home may be named by a link now, or have been then.
    ours = os.path.realpath(home.supervisord_conf) in map(os.path.realpath, words)
    return pid if ours and processes.lives(pid) else None


def silent(pid: int) -> Unreachable:
    """The error of a supervisord that is there and gives no answer."""
    if processes.is_stopped(pid):
        return Unreachable(
            f"supervisord (pid {pid}) is stopped by a signal", f"let it go on: kill -CONT {pid}"
        )
    return Unreachable(
        f"supervisord (pid {pid}) runs and does not answer",
        f"kill -9 {pid} ends all of it; then: evcs up",
    )


def _told_pid(socket_path: Path) -> int | None:
    """The pid in the file beside the socket, whoever that is now."""
    try:
        return int(socket_path.with_name("supervisord.pid").read_text())
    except (OSError, ValueError):
        return None


class Ending(Unreachable):
    """supervisord takes its processes down, at its end or to read all settings again."""


class Supervisord:
    """Calls on the supervisord of one home. Each raises Unreachable where it isn't there."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._path, self._timeout_s = socket_path, timeout_s

    def _call(
        self, method: str, *args: object, ok: tuple[int, ...] = (), of: str = "supervisor"
    ) -> Any:
        heartbeat.beat()
        transport = _Transport(self._path, self._timeout_s)
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(getattr(proxy, of), method)(*args)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in ok:
                return None
            if fault.faultCode == SHUTDOWN_STATE:
                raise Ending(
                    "supervisord is ending, or begins anew", "try again in a moment"
                ) from None
            raise EvcsError(
                f"supervisord refused {method}: {fault.faultString}", "see log/supervisord.log"
            ) from None
        except PermissionError:
            raise Denied(
                f"{self._path} belongs to another user", "run this as the home's owner"
            ) from None
        except TimeoutError:
            raise self._silent() from None
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError):
            raise Unreachable("supervisord is not running here", "start it: evcs up") from None

    def _silent(self) -> Unreachable:
        pid = _told_pid(self._path)
        if pid is None:
            return Unreachable("supervisord does not answer", "see: evcs doctor")
        return silent(pid)

    def pid(self) -> int:
        """supervisord's own pid."""
        return int(self._call("getPID"))

    def version(self) -> str:
        """The version of evcs that it has loaded; empty where it has none."""
        return str(self._call("version", of="evcs", ok=(UNKNOWN_METHOD,)) or "")

    def processes(self) -> list[Process]:
        """All processes of all groups."""
        found = self._call("processes", of="evcs", ok=(UNKNOWN_METHOD,))
        if found is None:
            return self._processes_in_full()
        return [Process(*row) for row in json.loads(found)]

    def _processes_in_full(self) -> list[Process]:
        """The same of a supervisord that an earlier version has started."""
        return [
            Process(
                p["group"],
                p["name"],
                p["statename"],
                p["pid"],
                p["start"],
                p["now"] - (max(p["start"], p["stop"]) or p["now"]),
                p["spawnerr"],
                p["exitstatus"],
            )
            for p in self._call("getAllProcessInfo")
        ]

    def groups(self) -> frozenset[str]:
        """Names of the groups that it holds."""
        return frozenset(process.group for process in self.processes())

    def reload(self) -> Reload:
        """Have the files read again; acts on nothing."""
        added, changed, removed = self._call("reloadConfig")[0]
        _log.info("all sections read by supervisord")
        return Reload(frozenset(added), frozenset(changed), frozenset(removed))

    def add(self, units: Sequence[str]) -> dict[str, str]:
        """Take up units by their section files and start them; why not, of those that failed."""
        found = self._call("add", list(units), of="evcs", ok=(UNKNOWN_METHOD,))
        if found is None:
            return self.add_reloaded(units)
        return {unit: error for unit, error in zip(units, found, strict=True) if error}

    def add_reloaded(self, groups: Iterable[str]) -> dict[str, str]:
        """The same for any group: all files are read again first."""
        there = self.groups()
        missing = [group for group in groups if group not in there]
        if not missing:
            return {}
        self.reload()
        failed = {}
        for group in missing:
            try:
                self._call("addProcessGroup", group, ok=(ALREADY_ADDED,))
            except EvcsError as error:
                failed[group] = error.message
        return failed

    def begin_stop(self, groups: Collection[str]) -> None:
        """Have all processes of these groups end, without waiting; it kills what takes 10 s."""
        self._each("stopProcess", [(f"{p.group}:{p.name}", False) for p in self._of(groups)])

    def stop(self, groups: Collection[str], within_s: float = 30.0) -> None:
        """Stop all processes of these groups at once and wait for their end. Raises TimedOut.

        A wait of supervisord's own would notice each end only at its next turn, a second
        later; every call gives it one, so asking again is what makes it quick.
        """
        self.begin_stop(groups)
        deadline = time.monotonic() + within_s
        while any(process.pid for process in self._of(groups)):
            if time.monotonic() > deadline:
                raise TimedOut("some processes do not end", "see: evcs status")
            time.sleep(POLL_S)

    def start_anew(self, processes: Iterable[str]) -> None:
        """Start processes ("CP-001:engine") now, whatever supervisord is waiting for."""
        names = list(processes)
        self._each("stopProcess", [(name, False) for name in names])
        self._each("startProcess", [(name, False) for name in names])

    def start(self, groups: Collection[str]) -> None:
        """Start the stopped processes of these groups, without waiting."""
        self._each("startProcess", [(f"{p.group}:{p.name}", False) for p in self._of(groups)])

    def remove(self, groups: Iterable[str]) -> None:
        """Forget stopped groups."""
        self._each("removeProcessGroup", [(group,) for group in groups])

    def _of(self, groups: Collection[str]) -> list[Process]:
        return [process for process in self.processes() if process.group in groups]

    def _each(self, method: str, calls: list[tuple[object, ...]]) -> None:
        """The same call many times in one turn; what it refuses shows in `processes`."""
        if calls:
            found = [{"methodName": f"supervisor.{method}", "params": call} for call in calls]
            self._call("multicall", found, of="system")

    def signal(self, process: str, name: str) -> None:
        """Send a signal to a process ("mosquitto", "HUP"); none there is well."""
        self._call("signalProcess", process, name, ok=(BAD_NAME, NOT_RUNNING))

    def kill(self, process: str) -> None:
        """SIGKILL to a process ("CP-001:engine"); none there is well."""
        self.signal(process, "KILL")

    def shutdown(self) -> None:
        """End everything, supervisord last."""
        self._call("shutdown")
