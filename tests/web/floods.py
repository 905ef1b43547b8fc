"""What the doors must bear: floods of bytes, of connections, and senders without haste."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /api/v1/cps HTTP/1.1\r\nHost: localhost\r\n"
EVERY_S = 0.25
ASK_EVERY_S = 2.0


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


def request_with(token: str, length: int) -> bytes:
    """The head of a change with a body of that length; without a token if that is empty."""
    more = f"Authorization: Bearer {token}\r\n" if token else ""
    json_ = "Content-Type: application/json\r\n"
    return HEAD + f"{json_}{more}Content-Length: {length}\r\n\r\n".encode()


@contextlib.contextmanager
def unfinished_bodies(port: int, count: int, token: str = "") -> Iterator[list[socket.socket]]:
    """Changes whose bodies lack nothing but their last byte."""
    size = 1024 * 1024
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(count):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            raw.sendall(request_with(token, size) + b"x" * (size - 1))
            held.append(raw)
        yield held


def status_now(raw: socket.socket) -> int | None:
    """The status of an answer that is there within half a second; None where none is."""
    raw.settimeout(0.5)
    try:
        return int(whole_answer(raw).split()[1])
    except TimeoutError:
        return None


def bodies_wait(port: int, pid: int) -> None:
    """Who sends no token is refused at once, and what it sends is kept nowhere."""
    before = peak_mb(pid)
    with unfinished_bodies(port, 100) as held:
        assert {status_now(raw) for raw in held} == {401}
        assert peak_mb(pid) - before < 30


def bodies_have_room(port: int, pid: int, token: str) -> None:
    """So many bodies are waited for, the others refused."""
    before = peak_mb(pid)
    with unfinished_bodies(port, 60, token) as held:
        statuses = Counter(status_now(raw) for raw in held)
        assert statuses[503] + statuses[None] == 60
        assert 0 < statuses[None] <= 8
        assert peak_mb(pid) - before < 30
    # When those are gone there is room again.
    end = time.monotonic() + 5
    while b" 503 " in (found := pour(port, "/api/v1/cps", 0.5, token)[:20]):
        assert time.monotonic() < end
    assert b" 400 " in found


#: What is refused as it stands: header lines, and the status they get.
ODD_HEADERS = {
    b"Authorization: Bearer \xff\xfe": 401,
    b"Origin: http://[x": 403,
    b"Origin: \xff": 403,
    b"X: y\r\n" * 101: 400,
    b"Transfer-Encoding: chunked": 413,
    b"Transfer-Encoding: gzip, chunked": 413,
    b"Transfer-Encoding: identity": 413,
    b"Transfer-Encoding: chunked\r\nContent-Length: 5": 413,
    b"Transfer-Encoding : chunked": 400,
    b"Transfer-Encoding\t: chunked": 400,
    b"Content-Length: 2\r\nContent-Length: 2": 400,
    b"Content-Length: 2\r\ncontent-length: 3": 400,
    **dict.fromkeys(
        (b"Content-Length: " + length for length in
         (b"+13", b"-1", b"1_3", b"0x1", b"1 3", b"1, 1", b"1.0", b"\xb2", b"x")), 400
    ),
    b"Content-Length:": 400,
    b"Host: localhost": 400,
    b"Authorization: Bearer a\r\nAuthorization: Bearer b": 400,
    b"X: folded\r\n over lines": 400,
    b"X: folded\r\n\tover lines": 400,
    b"X: a\nY: b": 400,
    b"X: a\rY: b": 400,
    b"X: a\0b": 400,
    b"X: a\x0bb": 400,
    b"no colon": 400,
    b": no name": 400,
    b"a b: c": 400,
    b"X: " + b" " * 30_000 + b"\0": 400,
}  # fmt: skip

#: Whole requests that are refused with 400 as they stand.
MALFORMED = [
    b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\n",
    b"GET /\r\n",
    b"GET / HTTP/0.9\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/+1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    b"GET\t/\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\x00 x HTTP/9\r\nA B C\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
    *(b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" for host in
      (b"", b"x@localhost", b"localhost@evil.example", b"localhost:x", b"localhost:80:80",
       b"localhost/", b"localhost, localhost", b"[::1", b"[::1]x", b"localhost:999999",
       b"localhost:99999", b"localhost:65536", b"[::1]:65536")),
    b"GET /healthz HTTP/1.1\r\n\r\n",
]  # fmt: skip

#: Bytes that are no text, in a path that would else be one of ours.
NO_TEXT = [b"/%ff%fe", b"/healthz%ff", b"/api/v1/cps%c3", b"/api/v1/%80cps", b"/login/x%ff"]


def answer_to(port: int, request: bytes) -> bytes:
    """The answer to what is sent as it stands, and nothing after it."""
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.sendall(request)
        raw.shutdown(socket.SHUT_WR)
        return whole_answer(raw)


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


def may_open_many() -> None:
    """Have room for thousands of sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))


@contextlib.contextmanager
def keep_asking(
    port: int, count: int, ask: bytes = ASK, every_s: float = ASK_EVERY_S, host: str = "127.0.0.1"
) -> Iterator[None]:
    """So many connections that each ask again and again; one that is closed is opened anew.

    The block begins when each of them has asked.
    """
    over, asked_all = threading.Event(), threading.Event()
    may_open_many()

    def opened() -> socket.socket:
        raw = socket.socket()
        raw.setblocking(False)
        raw.connect_ex((host, port))
        return raw

    def asked(raw: socket.socket) -> socket.socket:
        try:
            raw.send(ask)
            while raw.recv(65_536):
                pass
        except BlockingIOError:
            return raw
        except OSError:
            pass
        raw.close()
        return opened()

    def run() -> None:
        held = [opened() for _ in range(count)]
        while not over.wait(every_s):
            held = [asked(raw) for raw in held]
            asked_all.set()
        for raw in held:
            raw.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert asked_all.wait(60)
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def not_reading(port: int, path: str = "/api/v1/events") -> Iterator[None]:
    """An answer that is asked for and not read, with little room on the way."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 200)
        raw.connect(("127.0.0.1", port))
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield


def thousandfold(attempt: Callable[[int], int]) -> tuple[Counter[int], float]:
    """A thousand attempts, forty at a time: their statuses, and the seconds that they took."""
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        statuses = Counter(pool.map(attempt, range(1000)))
    return statuses, time.monotonic() - began


class Dripping(threading.Thread):
    """Two senders without haste: the headers of one never end, nor does the other's body."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(daemon=True)
        self._held = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(2)]
        self._held[0].sendall(HEAD)
        self._held[1].sendall(request_with(token, 9999))
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
