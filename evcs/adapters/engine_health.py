"""The unix socket on which an Engine answers "how are you": one connection, one JSON line.

The answer is given by the Engine's own loop, so one that hangs is seen as silent.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

from evcs.runtime.loop import Loop

ASK_WITHIN_S = 1.0


class HealthQuery:
    """Someone asks; `answer` replies and hangs up."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def answer(self, found: dict[str, Any]) -> None:
        """Send the answer; a caller that has gone away is no matter."""
        with suppress(OSError), self._connection:
            self._connection.sendall(json.dumps(found).encode() + b"\n")


def listen(loop: Loop, path: Path) -> None:
    """Give the loop a HealthQuery for each caller. The role's lock must be held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    os.chmod(path, 0o600)
    server.listen(1024)
    server.setblocking(False)

    def accept() -> None:
        with suppress(BlockingIOError):
            connection, _ = server.accept()
            connection.settimeout(ASK_WITHIN_S)
            loop.put(HealthQuery(connection))

    loop.add_reader(server.fileno(), accept)


def ask(path: Path, timeout_s: float = ASK_WITHIN_S) -> dict[str, Any] | None:
    """An Engine's answer, or None where there is none in time."""
    try:
        with _connect(path, timeout_s) as connection:
            line = b""
            while not line.endswith(b"\n"):
                more = connection.recv(4096)
                if not more or len(line) > 65_536:
                    return None
                line += more
            found = json.loads(line)
            return found if isinstance(found, dict) else None
    except (OSError, ValueError):
        return None


def listener_pid(path: Path) -> int | None:
    """The pid of the Engine that listens there, also while it hangs."""
    try:
        with _connect(path, ASK_WITHIN_S) as connection:
            raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", raw)[0]) or None
    except OSError:
        return None


def _connect(path: Path, timeout_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
