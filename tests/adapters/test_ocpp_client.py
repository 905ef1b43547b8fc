"""A station's WebSocket to a back end: a real server, and one that does whatever breaks it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, basic_auth, serve

from evcs.adapters import pem
from evcs.adapters.ocpp_client import Client
from evcs.adapters.ocpp_link import Target
from evcs.core.errors import BadValue
from evcs.core.ocpp.back_end import BackOff, Event, Lost, Opened, Said
from evcs.core.ocpp.rules import Version
from evcs.runtime.loop import Loop
from tests.system_under_test import DEADLINE_S, eventually

SOON = BackOff(0.02, 0.0, 2)
BOTH = [Version.V201, Version.V16]
Serve = Callable[[ServerConnection], None]


def echo(connection: ServerConnection) -> None:
    with suppress(Exception):
        for text in connection:
            connection.send(text)


class Station:
    """A client on a loop of its own, and all that it is told."""

    def __init__(self, url: str, **options: Any) -> None:
        self.told: list[Event] = []
        self.loop = Loop()
        told: dict[str, Any] = {"back_off": SOON, "ping_s": 0.0, "random": lambda: 0.0}
        target = {
            name: options.pop(name) for name in ("user", "password", "tls") if name in options
        }
        versions = options.pop("versions", BOTH)
        self.client = Client(
            self.loop, Target(url, versions, **target), self.told.append, **(told | options)
        )

    def until(self, done: Callable[[], Any]) -> None:
        """Also what another thread does, of which the loop is not told."""
        eventually("it is so", lambda: self.loop.turn(0.01) or done(), every_s=0.0)

    def hears(self, event: Event) -> None:
        self.until(lambda: event in self.told)

    def is_lost(self) -> Lost:
        self.until(lambda: any(isinstance(one, Lost) for one in self.told))
        return next(one for one in self.told if isinstance(one, Lost))


@pytest.fixture
def station() -> Iterator[Callable[..., Station]]:
    made: list[Station] = []

    def make(url: str, **options: Any) -> Station:
        one = Station(url, **options)
        made.append(one)
        one.client.start()
        return one

    yield make
    for one in made:
        one.client.stop()
        one.loop.until(lambda one=one: one.client.left, 1.0)  # type: ignore[misc]
        one.loop.close()


@contextmanager
def back_end(handler: Serve = echo, port: int = 0, **options: Any) -> Iterator[Server]:
    options = {"subprotocols": ["ocpp1.6"], "compression": None, "ping_interval": None,
               "close_timeout": 0.1} | options  # fmt: skip
    with serve(handler, "127.0.0.1", port, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def url(server: Server | socket.socket, scheme: str = "ws", host: str = "127.0.0.1") -> str:
    of = server.socket if isinstance(server, Server) else server
    return f"{scheme}://{host}:{of.getsockname()[1]}/ocpp/CP-1"


@contextmanager
def bare(*answers: bytes | None) -> Iterator[tuple[socket.socket, list[bytes]]]:
    """A server that gives each connection one of the answers, None: nothing, and cuts it then."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            for answer in answers:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                with one, suppress(OSError):
                    one.settimeout(DEADLINE_S)
                    heard.append(one.recv(4096))
                    if answer is not None:
                        one.sendall(answer)
                        one.shutdown(socket.SHUT_WR)
                        while one.recv(4096):
                            pass

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server, heard
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def status(line: str) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode()


def test_what_is_said_arrives_in_its_order_both_ways(station: Callable[..., Station]) -> None:
    with back_end() as server:
        one = station(url(server))
        one.hears(Opened(Version.V16))
        texts = [
            f'[2,"{number}","Heartbeat",{{"é":"{"x" * number * 400}"}}]' for number in range(50)
        ]
        assert all(one.client.send(text) for text in texts)
        one.until(lambda: len(one.told) == 51)
        assert one.told[1:] == [Said(text) for text in texts]


def test_the_password_goes_by_basic_auth_and_the_version_that_the_server_takes(
    station: Callable[..., Station],
) -> None:
    auth = basic_auth(credentials=("CP-1", "s3cret-of-20-letters"))
    with back_end(process_request=auth, subprotocols=["ocpp2.0.1"]) as server:
        good = station(url(server), user="CP-1", password=b"s3cret-of-20-letters")
        good.hears(Opened(Version.V201))
        bad = station(url(server), user="CP-1", password=b"another")
        lost = bad.is_lost()
        assert lost.refused
        assert "401" in lost.reason


@pytest.mark.parametrize(
    ("answer", "refused", "word"),
    [
        (status("401 Unauthorized"), True, "401"),
        (status("404 Not Found"), True, "404"),
        (status("302 Found"), True, "302"),
        (status("503 Service Unavailable"), False, "503"),
        (status("429 Too Many Requests"), False, "429"),
        (b"", False, ""),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, ""),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", True, "Connection"),
        (None, False, ""),
    ],
)
def test_a_refusal_is_told_from_an_absence_and_both_are_tried_again(
    station: Callable[..., Station], answer: bytes | None, refused: bool, word: str
) -> None:
    with bare(answer, answer, answer) as (server, heard):
        one = station(url(server))
        one.until(lambda: len(heard) >= 3)
        lost = one.is_lost()
        assert lost.refused == refused
        assert word in lost.reason
        assert heard[0].startswith(b"GET /ocpp/CP-1 HTTP/1.1\r\n")


def test_a_server_that_speaks_no_version_of_ours_refuses(station: Callable[..., Station]) -> None:
    with back_end(subprotocols=None) as server:
        lost = station(url(server)).is_lost()
        assert lost == Lost("it speaks none of ocpp2.0.1, ocpp1.6", refused=True)


def test_nobody_there_is_tried_again_until_somebody_is(station: Callable[..., Station]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = station(f"ws://127.0.0.1:{port}/CP-1")
    assert one.is_lost() == Lost("Connection refused")
    with back_end(port=port):
        one.hears(Opened(Version.V16))


def test_a_cut_is_told_once_and_mended(station: Callable[..., Station]) -> None:
    met: list[ServerConnection] = []

    def cut_the_first(connection: ServerConnection) -> None:
        met.append(connection)
        if len(met) == 1:
            connection.recv()
            connection.socket.shutdown(socket.SHUT_RDWR)
        else:
            echo(connection)

    with back_end(cut_the_first) as server:
        one = station(url(server))
        one.hears(Opened(Version.V16))
        one.client.send("x")
        one.until(lambda: one.told.count(Opened(Version.V16)) == 2)
        assert one.told == [Opened(Version.V16), Lost("connection lost"), Opened(Version.V16)]
        one.client.send("again")
        one.hears(Said("again"))


def test_a_close_has_its_code_and_reason(station: Callable[..., Station]) -> None:
    with back_end(lambda connection: connection.close(1008, "enough")) as server:
        assert station(url(server)).is_lost() == Lost("closed by it: 1008 enough")


def test_one_that_answers_no_ping_is_gone(station: Callable[..., Station]) -> None:
    held = threading.Event()

    def hang(_connection: ServerConnection) -> None:
        held.wait()

    with back_end(hang) as server:
        # Its pongs are its library's: the network is held up in between.
        with relay(server.socket.getsockname()[1]) as (port, freeze):
            one = station(f"ws://127.0.0.1:{port}/CP-1", ping_s=0.1)
            one.hears(Opened(Version.V16))
            one.client.send("x")
            freeze.set()
            assert one.is_lost() == Lost("no answer to a ping")
        held.set()


@contextmanager
def relay(port: int) -> Iterator[tuple[int, threading.Event]]:
    """What is between the two, until it is frozen."""
    frozen, over = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):
            while not over.is_set() and (data := source.recv(4096)):
                if not frozen.is_set():
                    goal.sendall(data)

    def run(server: socket.socket) -> None:
        with suppress(OSError):
            while not over.is_set():
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", port))
                pairs.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threads.append(threading.Thread(target=pump, args=pair))
                    threads[-1].start()

    pairs: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        main = threading.Thread(target=run, args=(server,))
        main.start()
        try:
            yield server.getsockname()[1], frozen
        finally:
            over.set()
            for one in (server, *pairs):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            main.join()
            for thread in threads:
                thread.join()
            for one in pairs:
                one.close()


def test_fragments_are_one_message_and_bytes_are_none(station: Callable[..., Station]) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send(iter(["[2,", '"a",', "1]"]))
        connection.recv()
        connection.send(b"bytes")
        with suppress(Exception):
            connection.recv()

    with back_end(talk) as server:
        one = station(url(server))
        one.hears(Said('[2,"a",1]'))
        one.client.send("go on")
        assert one.is_lost().reason == "closed: 1003 text alone is OCPP-J"


@pytest.mark.parametrize(
    ("frame", "code"), [(b"\x81\x02\xc3\x28", 1007), (b"\x81\x7f" + b"\0\0\0\0\0\x10\0\0", 1009),
                        (b"\x83\0", 1002)]
)  # fmt: skip
def test_frames_that_break_the_standard_end_the_connection(
    station: Callable[..., Station], frame: bytes, code: int
) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.socket.sendall(frame)
        with suppress(Exception):
            connection.recv()

    with back_end(talk) as server:
        assert f"closed: {code}" in station(url(server)).is_lost().reason


def test_a_back_end_that_reads_nothing_fills_no_memory(station: Callable[..., Station]) -> None:
    held = threading.Event()
    key = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            from websockets.utils import accept_key

            one, _ = server.accept()
            with one:
                head = one.recv(4096).decode()
                mine = next(
                    line.partition(": ")[2] for line in head.split("\r\n") if "-Key" in line
                )
                accept = f"Sec-WebSocket-Accept: {accept_key(mine)}\r\n"
                one.sendall(key + accept.encode() + b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n")
                held.wait()

        thread = threading.Thread(target=run)
        thread.start()
        one = station(url(server))
        one.hears(Opened(Version.V16))
        while one.client.send("x" * 60_000):
            one.loop.turn(0.0)
        assert one.is_lost().reason == "it does not read what it is sent"
        held.set()
        thread.join()


def test_a_name_is_looked_up_and_one_that_is_none_is_told(station: Callable[..., Station]) -> None:
    with back_end() as server:
        station(url(server, host="localhost")).hears(Opened(Version.V16))
    nobody = station("ws://nobody.invalid:1/CP-1")
    assert nobody.is_lost().reason.startswith("nobody.invalid is not known")
    odd = station(f"ws://{'x' * 64}.invalid:1/CP-1")
    assert "is no name of a machine" in odd.is_lost().reason


@pytest.mark.parametrize("wrong", ["http://a/b", "ws://", "ws://a:b/c", "x", "ws://a/#f"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(BadValue):
        Target(wrong, BOTH).uri()


class Tls:
    """A CA, a server's certificate by it, and clients' contexts."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.ca = folder, pem.make("CA", 1)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        of_server = pem.make("back end", 1, self.ca, ["localhost"])
        self.server.load_cert_chain(self._file("server", of_server))
        self.server.load_verify_locations(cadata=pem.certificate(self.ca).decode())

    def client(self, certificate: bytes | None = None, ca: bytes | None = None) -> ssl.SSLContext:
        anchor = pem.certificate(ca or self.ca).decode()
        context = ssl.create_default_context(cadata=anchor)
        if certificate is not None:
            context.load_cert_chain(self._file("client", certificate))
        return context

    def _file(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def test_over_tls_the_server_is_verified_and_the_station_may_be(
    station: Callable[..., Station], tmp_path: Path
) -> None:
    tls = Tls(tmp_path)
    with back_end(ssl=tls.server) as server:
        there = url(server, "wss", "localhost")
        one = station(there, tls=tls.client())
        one.hears(Opened(Version.V16))
        texts = [str(number) * 40_000 for number in range(9)]
        for text in texts:
            one.client.send(text)
        one.until(lambda: len(one.told) == 10)
        assert one.told[1:] == [Said(text) for text in texts]
        other = station(there, tls=tls.client(ca=pem.make("another", 1)))
        assert other.is_lost().refused
        assert "certificate" in other.is_lost().reason
    tls.server.verify_mode = ssl.CERT_REQUIRED
    with back_end(ssl=tls.server) as server:
        there = url(server, "wss", "localhost")
        mine = pem.make_client("CP-1", "k", 1, tls.ca)
        station(there, tls=tls.client(mine)).hears(Opened(Version.V16))
        assert station(there, tls=tls.client()).is_lost().reason  # an alert, or only an end


def test_what_a_proxy_answers_with_a_body_is_no_message(station: Callable[..., Station]) -> None:
    def forbid(connection: ServerConnection, _request: Request) -> Response:
        return Response(403, "Forbidden", Headers(), b"<html>no</html>")

    with back_end(process_request=forbid) as server:
        lost = station(url(server)).is_lost()
        assert lost.refused
        assert "403" in lost.reason


def test_a_station_that_goes_says_so(station: Callable[..., Station]) -> None:
    closed: list[int | None] = []

    def note(connection: ServerConnection) -> None:
        echo(connection)
        closed.append(connection.close_code)

    with back_end(note) as server:
        one = station(url(server))
        one.hears(Opened(Version.V16))
        one.client.stop()
        one.until(lambda: one.client.left)
        one.until(lambda: closed)
        assert closed == [1001]
        assert one.told == [Opened(Version.V16)]
