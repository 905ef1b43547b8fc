"""What the server sets on each connection."""

from __future__ import annotations

import socket
from typing import Any

from gevent.pywsgi import WSGIServer

from evcs.adapters.wsgi_server import Handler


def test_an_answers_second_write_does_not_wait_for_the_readers_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        taken, address = listener.accept()
    server: Any = WSGIServer(("127.0.0.1", 0), None, log=None)
    with client, taken:
        Handler(taken, address, server)
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
