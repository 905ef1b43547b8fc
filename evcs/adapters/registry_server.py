"""The Registry's HTTP server: waitress, with limits, a deadline, and its own errors as JSON."""

from __future__ import annotations

import json
import select
import threading
import time
from typing import Any

import waitress
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from evcs.adapters.http_server import MAX_BODY

REQUEST_WITHIN_S = 10.0
THREADS = 16
DISCARD_WITHIN_S = 2.0
DISCARD_QUIET_S = 0.3
CHUNK = 262_144

# A discarding thread serves nobody, so few may do it at a time.
_discarding = threading.BoundedSemaphore(2)


class _Refusal(ErrorTask):
    """What waitress itself refuses: too large, malformed."""

    def execute(self) -> None:
        error = self.request.error
        too_large = error.code == 413
        code = "too_large" if too_large else "bad_value"
        message = f"{error.reason.lower()}: {error.body}"
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self.status = "413 Request Entity Too Large" if too_large else "400 Bad Request"
        self.response_headers.append(("Content-Type", "application/json"))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)
        if too_large and _discarding.acquire(blocking=False):
            try:
                self.channel._flush_some_if_lockable()
                discard(self.channel.socket)
            finally:
                _discarding.release()


def discard(sock: Any) -> None:
    """Read on for a moment: closed with bytes unread, the answer would be lost with the reset."""
    end = time.monotonic() + DISCARD_WITHIN_S
    try:
        while time.monotonic() < end and select.select([sock], [], [], DISCARD_QUIET_S)[0]:
            if not sock.recv(CHUNK):
                return
    except (OSError, ValueError):
        pass


class _Channel(HTTPChannel):
    """A connection. waitress cuts off who is silent; this one also who only drips."""

    error_task_class = _Refusal
    _began: float | None = None

    def received(self, data: bytes) -> Any:
        found = super().received(data)
        if self.request is None:
            self._began = None
        elif self._began is None:
            self._began = time.monotonic()
        elif time.monotonic() - self._began > REQUEST_WITHIN_S:
            self.will_close = True
        return found


def create(app: Any, port: int) -> Any:
    """A server on loopback; `run` serves until `close`. Raises OSError: the port is taken."""
    server = waitress.create_server(
        app, host="127.0.0.1", port=port, threads=THREADS, ident=None,
        channel_timeout=REQUEST_WITHIN_S, cleanup_interval=2, connection_limit=1000,
        max_request_body_size=2 * MAX_BODY, max_request_header_size=16 * 1024,
    )  # fmt: skip
    server.channel_class = _Channel
    return server
