"""The unix socket on which a process of Engines answers "how are you all": one JSON line a caller.

The answer is given by the Engines' own loop, so one that hangs is seen as silent.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from evcs.core.health import EngineAnswer
from evcs.runtime.loop import Loop

ASK_WITHIN_S = 1.0
#: In bytes; an Engine's share is about a hundred.
LONGEST = 1_048_576

Answers = Mapping[str, EngineAnswer]


def listen(loop: Loop, path: Path, answer: Callable[[], Answers]) -> None:
    """Answer each caller. The role's lock must be held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    os.chmod(path, 0o600)
    server.listen(1024)
    server.setblocking(False)

    def accept() -> None:
        # A caller that has gone away is no matter.
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(ASK_WITHIN_S)
                answers = {cp: one._asdict() for cp, one in answer().items()}
                connection.sendall(json.dumps(answers).encode() + b"\n")

    loop.add_reader(server.fileno(), accept)


class Probe:
    """The process that listens there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, within_s: float = ASK_WITHIN_S) -> Answers:
        """What each Engine there says of itself, by CP; nothing where no answer came in time."""
        try:
            with _connect(self._path, within_s) as connection:
                line = bytearray()
                while not line.endswith(b"\n"):
                    more = connection.recv(65_536)
                    if not more or len(line) > LONGEST:
                        return {}
                    line += more
            found = json.loads(line)
        except (OSError, ValueError, RecursionError):
            return {}
        whole = isinstance(found, dict) and all(isinstance(one, dict) for one in found.values())
        return {cp: _answer(one) for cp, one in found.items()} if whole else {}

    def pid(self) -> int | None:
        """Its pid, also while it hangs."""
        try:
            with _connect(self._path, ASK_WITHIN_S) as connection:
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int(struct.unpack("3i", raw)[0]) or None
        except OSError:
            return None

    def end(self) -> int | None:
        """Kill it, since a hung process can't be asked to end; its pid, if it was there."""
        pid = self.pid()
        if pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return pid


def _answer(said: Mapping[str, Any]) -> EngineAnswer:
    fault, session_id = said.get("fault"), said.get("session_id")
    return EngineAnswer(
        fault if isinstance(fault, str) else None,
        said.get("ready") is True,
        session_id if isinstance(session_id, str) else None,
        said.get("supplying") is True,
    )


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
