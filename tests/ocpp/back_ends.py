"""Back ends that a station dials: one that fails on purpose, and two made by others."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import ocpp.v16 as v16
from ocpp.routing import after, on
from websockets.asyncio.server import ServerConnection as AsyncConnection
from websockets.asyncio.server import serve as serve_async
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tests.ocpp.rpc_peer import FOLDER
from tests.system_under_test import eventually

MATTERS = ("StartTransaction", "StopTransaction", "MeterValues")
Answer = dict[str, Any]


def answer_to(action: str, number: int) -> Answer:
    """What a good back end says; `number`: of a transaction."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    accepted = {"status": "Accepted"}
    answers: dict[str, Answer] = {
        "BootNotification": {**accepted, "currentTime": now, "interval": 300},
        "Heartbeat": {"currentTime": now},
        "Authorize": {"idTagInfo": accepted},
        "StartTransaction": {"transactionId": number, "idTagInfo": accepted},
    }
    return answers.get(action, {})


class BackEnd:
    """What all have: `heard` is what stations said, in its order."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Answer]] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where a station dials it."""
        return f"ws://127.0.0.1:{self.port}/ocpp/{{id}}"

    def said(self, action: str) -> list[Answer]:
        """The payloads of an action."""
        return [payload for name, payload in list(self.heard) if name == action]

    def ask(self, action: str, payload: Answer) -> Answer:
        """The answer of the station that is connected."""
        raise NotImplementedError


class FailingBackEnd(BackEnd):
    """One that does what `how(action)` says: "good", "error", "twice", "silent", "cut before" it
    has taken a message, or "cut after". `refuse`: the status of its handshakes, 0: none is.

    `tls`: it listens with that, by the name localhost. `asked_by`: who dialled last, by HTTP Basic.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._tls = tls
        self.asked_by = ""
        self.how: Callable[[str], str] = lambda _: "good"
        self.refuse = 0
        self.connections = 0
        #: By message id, as a back end does that knows what is told again.
        self.taken: dict[str, tuple[str, Answer]] = {}
        self._numbers: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._now: ServerConnection | None = None
        self._asked = 0
        self.start()

    def start(self) -> None:
        """Be there, at the port that it had before."""
        self._server = serve(
            self._serve, "127.0.0.1", self.port, subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            compression=None, ping_interval=None, close_timeout=0.1, process_request=self._look,
            ssl=self._tls,
        )  # fmt: skip
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where a station dials it."""
        found = super().url
        return found if self._tls is None else found.replace("ws://127.0.0.1", "wss://localhost")

    def stop(self) -> None:
        """Go away."""
        self._server.shutdown()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()

    def matter(self) -> list[tuple[str, Answer]]:
        """What it has taken of that which matters, each once, in its order."""
        return [one for one in list(self.taken.values()) if one[0] in MATTERS]

    def ask(self, action: str, payload: Answer) -> Answer:
        """The answer of the station that is connected."""
        self._asked += 1
        name = f"ask{self._asked}"
        assert self._now is not None
        self._now.send(json.dumps([2, name, action, payload]))
        found: Answer = eventually(f"an answer to {action}", lambda: self._answers.get(name), 20)
        return found

    def _look(self, _connection: ServerConnection, request: Request) -> Response | None:
        self.asked_by = request.headers.get("Authorization", "")
        if self.refuse:
            return Response(self.refuse, "No", Headers({"Content-Length": "0"}), b"")
        return None

    def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        self._now = connection
        with suppress(Exception):
            for text in connection:
                frame = json.loads(text)
                if frame[0] != 2:
                    self._answers[frame[1]] = frame[2] if frame[0] == 3 else {"error": frame[2]}
                elif not self._handle(connection, *frame[1:]):
                    return

    def _handle(
        self, connection: ServerConnection, id_: str, action: str, asked: Answer
    ) -> bool:  # fmt: skip
        how = self.how(action)
        self.heard.append((action, asked))
        if how == "cut before":
            return False
        if how == "error":
            connection.send(json.dumps([4, id_, "InternalError", "", {}]))
            return True
        if how == "silent":
            return True
        known = self.taken.setdefault(id_, (action, asked))
        assert known == (action, asked), "another message of that id"
        if action == "StartTransaction":
            self._numbers.setdefault(id_, len(self._numbers) + 1)
        if how == "cut after":
            return False
        text = json.dumps([3, id_, answer_to(action, self._numbers.get(id_, 0))])
        for _ in range(2 if how == "twice" else 1):
            connection.send(text)
        return True


class OcppBackEnd(BackEnd):
    """The central system of the package `ocpp`, in a thread of its own; used as a context."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._station: Any = None
        self._server: Any = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, action: str, payload: Answer) -> Answer:
        """The answer of the station that is connected."""
        request = getattr(v16.call, action)(**payload)
        found = self._do(self._station.call(request, suppress=False))
        return dict(vars(found))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(40)

    async def _open(self) -> None:
        self._server = await serve_async(
            self._serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            compression=None,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, connection: AsyncConnection) -> None:
        name = connection.request.path if connection.request else ""
        self._station = _Station(name, connection, self)
        with suppress(Exception):
            await self._station.start()


class _Station(v16.ChargePoint):
    """A station, as the package's central system sees it."""

    def __init__(self, name: str, connection: AsyncConnection, back_end: OcppBackEnd) -> None:
        super().__init__(name, connection)
        self._back_end = back_end

    def _heard(self, action: str, fields: Answer) -> Any:
        self._back_end.heard.append((action, fields))
        number = len(self._back_end.said("StartTransaction"))
        return answer_to(action, number)

    @on("BootNotification")
    def _boot(self, **fields: Any) -> Any:
        found = self._heard("BootNotification", fields)
        return v16.call_result.BootNotification(
            current_time=found["currentTime"], interval=300, status="Accepted"
        )

    @after("BootNotification")
    def _booted(self, **_: Any) -> None:
        """The package wants a handler after it to be one."""

    @on("Heartbeat")
    def _beat(self, **fields: Any) -> Any:
        found = self._heard("Heartbeat", fields)
        return v16.call_result.Heartbeat(current_time=found["currentTime"])

    @on("Authorize")
    def _authorize(self, **fields: Any) -> Any:
        self._heard("Authorize", fields)
        return v16.call_result.Authorize(id_tag_info={"status": "Accepted"})

    @on("StatusNotification")
    def _status(self, **fields: Any) -> Any:
        self._heard("StatusNotification", fields)
        return v16.call_result.StatusNotification()

    @on("StartTransaction")
    def _start(self, **fields: Any) -> Any:
        found = self._heard("StartTransaction", fields)
        return v16.call_result.StartTransaction(
            transaction_id=found["transactionId"], id_tag_info={"status": "Accepted"}
        )

    @on("MeterValues")
    def _meter(self, **fields: Any) -> Any:
        self._heard("MeterValues", fields)
        return v16.call_result.MeterValues()

    @on("StopTransaction")
    def _stop(self, **fields: Any) -> Any:
        self._heard("StopTransaction", fields)
        return v16.call_result.StopTransaction()


class RpcBackEnd(BackEnd):
    """The server of the npm package `ocpp-rpc`, with strict schemas, in a process of its own."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "server.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=FOLDER,
        )  # fmt: skip
        self._answers: list[Answer] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually("it listens", lambda: self.port, 20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def ask(self, action: str, payload: Answer) -> Answer:
        """The answer of the station that is connected."""
        assert self._process.stdin is not None
        before = len(self._answers)
        self._process.stdin.write(json.dumps([action, payload]) + "\n")
        self._process.stdin.flush()
        eventually(f"an answer to {action}", lambda: len(self._answers) > before, 20)
        return self._answers[before]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = json.loads(line)
            if "port" in found:
                self.port = found["port"]
            elif "heard" in found:
                self.heard.append((found["heard"], found["payload"]))
            else:
                self._answers.append(found.get("answer", found))
