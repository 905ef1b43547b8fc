"""What the doors must bear: floods of bytes, of connections, and senders without haste."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HEAD = b"POST /api/v1/cps HTTP/1.1\r\nHost: localhost\r\n"
EVERY_S = 0.25


def peak_mb(pid: int) -> float:
    """The most memory that a process has had so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def pour(port: int, path: str, megabytes: float, token: str) -> bytes:
    """POST that much; the answer, which comes though not everything may have been taken."""
    size = int(megabytes * 1024 * 1024)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.sendall(head.encode())
        piece = b"x" * 65_536
        for sent in range(0, size, len(piece)):
            raw.sendall(piece[: size - sent])
        return whole_answer(raw)


def whole_answer(raw: socket.socket) -> bytes:
    """An answer after which the server closes, or which is as long as its headers say."""
    found = b""
    while more := raw.recv(65_536):
        found += more
        head, _, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length and len(body) >= int(length[1]):
            break
    return found


#: What is refused as it stands: header lines, and the status they get.
ODD_HEADERS = {
    b"Authorization: Bearer \xff\xfe": 401,
    b"Origin: http://[x": 403,
    b"Origin: \xff": 403,
    b"X: y\r\n" * 101: 400,
    b"Transfer-Encoding: chunked": 413,
    b"Transfer-Encoding: gzip, chunked": 413,
}


def status_of(port: int, headers: bytes) -> int:
    """The answer to a change with these headers, whose body never comes."""
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        head = b"DELETE /api/v1/cps/CP-001 HTTP/1.1\r\nHost: localhost\r\n"
        raw.sendall(head + headers.strip() + b"\r\n\r\n")
        return int(whole_answer(raw).split()[1])


@contextlib.contextmanager
def hold_half_open(port: int, count: int) -> Iterator[None]:
    """Connections whose request never ends."""
    held = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(count)]
    try:
        for one in held:
            one.sendall(HEAD[:40])
        yield
    finally:
        for one in held:
            one.close()


@contextlib.contextmanager
def never_reading(port: int) -> Iterator[None]:
    """An event stream that is opened and not read, with little room on the way."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        raw.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield


def thousandfold(attempt: Callable[[int], int]) -> tuple[Counter[int], float]:
    """A thousand attempts, forty at a time: their statuses, and the seconds that they took."""
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        statuses = Counter(pool.map(attempt, range(1000)))
    return statuses, time.monotonic() - began


class Dripping(threading.Thread):
    """Two senders without haste: the headers of one never end, nor does the other's body."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        whole = HEAD + b"Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
        self._held = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(2)]
        self._held[0].sendall(HEAD)
        self._held[1].sendall(whole)
        self._over = threading.Event()
        self.took_s: list[float] = []
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        while self._held and not self._over.wait(EVERY_S):
            for one in list(self._held):
                try:
                    one.sendall(b"x")
                except OSError:
                    self._held.remove(one)
                    one.close()
                    self.took_s.append(time.monotonic() - began)

    def end(self) -> None:
        """Both were cut off, neither at once nor late."""
        self.join(30)
        self._over.set()
        assert len(self.took_s) == 2
        assert all(5 < took < 20 for took in self.took_s), self.took_s
