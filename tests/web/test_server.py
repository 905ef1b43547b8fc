"""What the server sets on each connection, and what is made once for all who ask."""

from __future__ import annotations

import socket
import time
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import gevent
import pytest
from bottle import Bottle
from gevent.pywsgi import WSGIServer

from evcs.adapters.wsgi_server import Handler
from evcs.services.web import system_api


def test_an_answers_second_write_does_not_wait_for_the_readers_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        taken, address = listener.accept()
    server: Any = WSGIServer(("127.0.0.1", 0), None, log=None)
    with client, taken:
        Handler(taken, address, server)
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_others_have_their_turn_while_a_body_is_thrown_away() -> None:
    """As much is there of it as is read."""
    read, turns = 0, 0

    def readinto1(waste: bytearray) -> int:
        nonlocal read
        read += 1
        return len(waste) if read < 1_000 else 0

    def others() -> None:
        nonlocal turns
        while read < 1_000:
            turns += 1
            gevent.sleep(1e-6)

    body: Any = SimpleNamespace(rfile=SimpleNamespace(readinto1=readinto1))
    gevent.joinall([gevent.spawn(others), gevent.spawn(Handler._discard, body)])
    assert turns > 500


@pytest.mark.parametrize("path", ["/api/v1/stations", "/api/v1/host-states"])
def test_what_all_may_see_is_made_once_for_those_who_ask_at_once(path: str) -> None:
    made: list[str] = []

    def rows() -> dict[str, Any]:
        made.append(path)
        time.sleep(0.05)
        return {}

    fleet = SimpleNamespace(station_rows=rows, host_rows=rows)
    deps: Any = SimpleNamespace(web=SimpleNamespace(fleet=fleet))
    app = Bottle()
    system_api.add_routes(app, deps)
    environ: dict[str, Any] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    for _ in range(5):
        assert b"".join(app(dict(environ), lambda *_: None)) in (b"{}", b"[]")
    assert made == [path]
