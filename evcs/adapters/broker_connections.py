"""Connections on the broker's TCP ports: counted, and ended where they are more than its bound.

mosquitto 2.0.11 has that bound (max_connections), but forgets it at a HUP and counts each
connection that ends twice, so that it grows with each (both seen). The kernel gives a process
of the same user a copy of another's socket; one that is shut down there ends for the broker as
if its client had left.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import resource
import socket
import stat
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from evcs.adapters import broker_listeners
from evcs.adapters.broker_listeners import broker_pid
from evcs.home import Home

LOOK_EVERY_S = 1.0
ESTABLISHED = "01"
HINT = "see: evcs doctor"
#: In Linux's struct tcp_info: tcpi_bytes_acked, how much the other side has taken.
_BYTES_ACKED = 120
_PIDFD_GETFD = 438

_libc = ctypes.CDLL(None, use_errno=True)
_log = logging.getLogger("evcs")


def files(pid: int) -> tuple[int, int]:
    """How many files a process has open, and how many it may. Raises OSError."""
    limit, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    folder = Path(f"/proc/{pid}/fd")
    # From Linux 6.2 on its size is their number.
    return folder.stat().st_size or sum(1 for _ in folder.iterdir()), limit


def count() -> Counter[int]:
    """How many connections each TCP port of this machine has."""
    found: Counter[int] = Counter()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == ESTABLISHED:
                found[int(fields[1].rpartition(":")[2], 16)] += 1
    return found


def end_excess(home: Home) -> int:
    """End what a TCP port of the broker has too much; how many that were. Raises OSError.

    Those go first that the broker has told least: who is not let in was told nothing.
    """
    pid, bounds = broker_pid(home), broker_listeners.bounds(home)
    # One look at the number of files spares the long list of all connections.
    if pid is None or files(pid)[0] <= min(bounds.values()):
        return 0
    there = count()
    return sum(
        _end(pid, port, there[port] - most) for port, most in bounds.items() if there[port] > most
    )


def _end(pid: int, port: int, excess: int) -> int:
    pidfd = os.pidfd_open(pid)
    try:
        least = sorted(_connections(pid, pidfd, port))[:excess]
        for _, number in least:
            # By now the number may be another connection's; it must not be one of ours.
            with suppress(OSError), _copy(pidfd, number) as sock:
                if _is_connection(sock, port):
                    sock.shutdown(socket.SHUT_RDWR)
        return len(least)
    finally:
        os.close(pidfd)


def _connections(pid: int, pidfd: int, port: int) -> Iterator[tuple[int, int]]:
    """Each connection of a port: bytes that its client has taken, number of the file."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            with _copy(pidfd, int(entry.name)) as sock:
                if _is_connection(sock, port):
                    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                    yield struct.unpack_from("Q", info, _BYTES_ACKED)[0], int(entry.name)
        except PermissionError:
            raise
        except OSError:
            continue  # closed meanwhile, or no socket


def _copy(pidfd: int, number: int) -> socket.socket:
    """A process's socket by its number there. Raises OSError."""
    found = _libc.syscall(_PIDFD_GETFD, pidfd, number, 0)
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    if not stat.S_ISSOCK(os.fstat(found).st_mode):
        os.close(found)
        raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
    return socket.socket(fileno=found)


def _is_connection(sock: socket.socket, port: int) -> bool:
    return (
        sock.family in (socket.AF_INET, socket.AF_INET6)
        and sock.getsockname()[1] == port
        and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    )


def able(pid: int) -> bool:
    """Whether this kernel lets us reach the broker's connections."""
    pidfd = os.pidfd_open(pid)
    try:
        next(_connections(pid, pidfd, 0), None)
    except PermissionError:
        return False
    finally:
        os.close(pidfd)
    return True


def watch(home: Home) -> None:
    """Keep to the bounds from now on, in a thread of its own."""
    threading.Thread(target=_watch, args=(home,), name="connections", daemon=True).start()


def _watch(home: Home) -> None:
    failed = ""
    while True:
        time.sleep(LOOK_EVERY_S)
        try:
            if ended := end_excess(home):
                _log.warning("ended=%d connections to the broker beyond its bound", ended)
            failed = ""
        except OSError as error:
            if str(error) != failed:
                failed = str(error)
                _log.error("connections beyond the broker's bound stay: %s; %s", error, HINT)
