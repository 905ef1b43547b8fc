"""The unix socket on which a process of Engines answers "how are you all": one JSON line a caller.

The answer is given by the Engines' own loop, so one that hangs is seen as silent. Who asks as their
Monitor and then asks no more hangs, too: each of the two ends the other. A pool's Monitors answer
in the same way, with whom they host. The address that a caller binds says what else it wants.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evcs.adapters.files import file_number, set_aside
from evcs.core import health
from evcs.core.health import EngineAnswer, ProcessFigures
from evcs.core.ports import Log
from evcs.runtime.loop import Loop

ASK_WITHIN_S = 1.0
#: In bytes; an Engine's share is about a hundred.
LONGEST = 1_048_576

_log = logging.getLogger("evcs")

#: A Monitor asks from an address of this begin.
WATCHES = b"\0evcs-monitor-"
#: Who has a CP's role ended does so from an address of this begin, with the CP and a space.
ENDS = b"\0evcs-end-"
#: Who wants to know of the process rather than of its CPs.
MEASURES = b"\0evcs-figures-"

Answers = Mapping[str, EngineAnswer]


def listen(
    loop: Loop, path: Path, answer: Callable[[], Answers], log: Log = _log,
    end: Callable[[str], object] = lambda _: None,
) -> None:  # fmt: skip
    """Answer each caller, and end a Monitor that hangs. The role's lock must be held.

    `end(cp)`: end that CP's role, as a crash would.
    """
    asker, said = _Asker(loop, log), _Said()

    def accept() -> None:
        # A caller that has gone away is no matter.
        with suppress(OSError):
            connection, address = server.accept()
            with connection:
                wish = address if isinstance(address, bytes) else b""
                if wish.startswith(WATCHES):
                    asker.asks(connection)
                elif wish.startswith(ENDS):
                    end(wish.removeprefix(ENDS).partition(b" ")[0].decode())
                line = _figures(loop) if wish.startswith(MEASURES) else said.line(answer())
                connection.settimeout(ASK_WITHIN_S)
                connection.sendall(line)

    server, number = _bound(path), file_number(path)
    loop.add_reader(server.fileno(), accept)

    def look() -> None:
        """Nobody else could make the socket again: what is not reached counts as silent."""
        nonlocal server, number
        if file_number(path) != number:
            with suppress(OSError):
                made, number = _bound(path), file_number(path)
                loop.remove_reader(server.fileno())
                server.close()
                server = made
                loop.add_reader(server.fileno(), accept)
                log.error("%s was removed; made again", path)
        loop.call_later(health.LOOK_EVERY_S, look)

    loop.call_later(health.LOOK_EVERY_S, look)


def _bound(path: Path) -> socket.socket:
    """A socket that listens there, whatever is in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        set_aside(path)
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    os.chmod(path, 0o600)
    server.listen(1024)
    server.setblocking(False)
    return server


class _Said:
    """Answers as a line, made again only where they are others: mostly nothing has changed."""

    def __init__(self) -> None:
        self._answers: Answers | None = None
        self._line = b""

    def line(self, answers: Answers) -> bytes:
        """The answers of all."""
        if answers != self._answers:
            self._answers = answers
            cps: dict[EngineAnswer, list[str]] = {}
            for cp, one in answers.items():
                cps.setdefault(one, []).append(cp)
            self._line = _line([(one._asdict(), those) for one, those in cps.items()])
        return self._line


def _line(said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"


def _figures(loop: Loop) -> bytes:
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    pss = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    found = ProcessFigures(pss * 1024, round(loop.late_p99_s() * 1000, 1))
    return _line({"": found._asdict()})


class _Asker:
    """The Monitor that asked last, held by a descriptor: its pid may be another's later."""

    def __init__(self, loop: Loop, log: Log) -> None:
        self._loop, self._log = loop, log
        self._pid, self._fd = 0, -1
        self._asked = False
        self._misses, self._looked_at = 0, loop.time()
        loop.call_later(health.LOOK_EVERY_S, self._look)

    def asks(self, connection: socket.socket) -> None:
        """It asks."""
        pid, self._asked = _peer(connection), True
        if pid == self._pid:
            return
        self._forget()
        with suppress(OSError):
            self._fd = os.pidfd_open(pid)
            # Whose connection is open still has its pid still; else that may be another's by now.
            with suppress(BlockingIOError):
                connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                pid = 0
        self._pid = pid

    def _look(self) -> None:
        now = self._loop.time()
        self._misses = health.unasked(self._misses, self._asked, now - self._looked_at)
        self._asked, self._looked_at = False, now
        if self._pid:
            self._look_at_process(self._misses >= health.MISSES_TO_END)
        self._loop.call_later(health.LOOK_EVERY_S, self._look)

    def _look_at_process(self, hangs: bool) -> None:
        try:
            signal.pidfd_send_signal(self._fd, signal.SIGKILL if hangs else 0)
        except OSError:
            self._forget()
            return
        if hangs:
            self._log.error("monitor pid=%d asks no more: ended", self._pid)
            self._forget()

    def _forget(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._pid, self._fd = 0, -1


class Probe:
    """The process that listens there. Who `watches` it has to go on asking."""

    def __init__(self, path: Path, watches: bool = False) -> None:
        self._path, self._watches = path, watches
        #: The last line, and what it said.
        self._line = b""
        self._answers: Answers = {}

    def ask(self, within_s: float = ASK_WITHIN_S) -> Answers | None:
        """What each Engine there says of itself, by CP; None where no answer came in time."""
        line = self._ask(within_s, WATCHES if self._watches else b"")
        if not line or line != self._line:
            found = _answers(line)
            if found is None:
                return None
            self._answers, self._line = found, line
        return self._answers

    def figures(self, within_s: float = ASK_WITHIN_S) -> ProcessFigures | None:
        """What the process says of itself; None where no answer came in time."""
        found = _parsed(self._ask(within_s, MEASURES))
        said = found.get("") if isinstance(found, dict) else None
        if not isinstance(said, dict):
            return None
        memory, late = said.get("memory_bytes"), said.get("late_p99_ms")
        if isinstance(memory, int) and isinstance(late, float):
            return ProcessFigures(memory, late)
        return None

    def end_one(self, cp: str) -> bool:
        """Have that CP's role there end as a crash would; whether it answered."""
        return bool(self._ask(ASK_WITHIN_S, ENDS + cp.encode() + b" "))

    def _ask(self, within_s: float, address: bytes) -> bytes:
        """The line that is answered; empty where none came in time."""
        try:
            with _connect(self._path, within_s, address) as connection:
                line = bytearray()
                while not line.endswith(b"\n"):
                    more = connection.recv(65_536)
                    if not more or len(line) > LONGEST:
                        return b""
                    line += more
        except OSError:
            return b""
        return bytes(line)

    def pid(self) -> int | None:
        """Its pid, also while it hangs."""
        try:
            with _connect(self._path, ASK_WITHIN_S) as connection:
                return _peer(connection) or None
        except OSError:
            return None

    def end(self) -> int | None:
        """Kill it, since a hung process can't be asked to end; its pid, if it was there."""
        pid = self.pid()
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return pid


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _answers(line: bytes) -> Answers | None:
    """What a line says: each answer with the CPs that give it. None where it is no such line.

    An Engine of an earlier version, which runs until `evcs restart`, says it CP by CP.
    """
    found: dict[str, EngineAnswer] = {}
    said = _parsed(line)
    try:
        pairs = [(one, [cp]) for cp, one in said.items()] if isinstance(said, dict) else said
        for one, cps in pairs:
            found |= dict.fromkeys(map(str, cps), _answer(one))
    except (AttributeError, TypeError, ValueError):
        return None
    return found


def _answer(said: Mapping[str, Any]) -> EngineAnswer:
    fault, session_id = said.get("fault"), said.get("session_id")
    return EngineAnswer(
        fault if isinstance(fault, str) else None,
        said.get("ready") is True,
        session_id if isinstance(session_id, str) else None,
        said.get("supplying") is True,
    )


def _peer(connection: socket.socket) -> int:
    """The pid of who is at the other end; 0 where that is in another namespace."""
    return int(
        struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    )


def _connect(path: Path, timeout_s: float, address: bytes = b"") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        if address:
            connection.bind(address + os.urandom(8).hex().encode())
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
