"""Back ends that a station dials: one that fails on purpose, and two made by others."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import ocpp.v16
import ocpp.v201
from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case
from ocpp.routing import on
from websockets.asyncio.server import ServerConnection as AsyncConnection
from websockets.asyncio.server import serve as serve_async
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.ocpp.rpc_peer import FOLDER
from tests.system_under_test import eventually

MATTERS = ("StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent")
ENERGY = "Energy.Active.Import.Register"
Answer = dict[str, Any]


def answer_to(action: str, asked: Answer, number: int) -> Answer:
    """What a good back end says, in either version; `number`: of a transaction in 1.6."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    accepted = {"status": "Accepted"}
    if "idToken" in asked:
        return {"idTokenInfo": accepted}
    answers: dict[str, Answer] = {
        "BootNotification": {**accepted, "currentTime": now, "interval": 300},
        "Heartbeat": {"currentTime": now},
        "Authorize": {"idTagInfo": accepted},
        "StartTransaction": {"transactionId": number, "idTagInfo": accepted},
    }
    return answers.get(action, {})


def whole_wh(events: list[Answer]) -> int:
    """The Wh of a transaction of 2.0.1 that is whole: one begin, one end, numbers without a gap."""
    assert [one["seqNo"] for one in events] == list(range(len(events)))
    kinds = [one["eventType"] for one in events]
    assert kinds == ["Started", *["Updated"] * (len(events) - 2), "Ended"]
    end, begin = events[-1], register_wh(events[0], "Transaction.Begin")
    assert register_wh(end, "Transaction.Begin") == begin
    return register_wh(end, "Transaction.End") - begin


def register_wh(event: Answer, context: str) -> int:
    """What a TransactionEvent says of the energy, in that context."""
    (found,) = (
        one["value"] for value in event["meterValue"] for one in value["sampledValue"]
        if (one["measurand"], one["context"]) == (ENERGY, context)
    )  # fmt: skip
    return int(found)


class BackEnd:
    """What all have: `heard` is what stations said, in its order. `ocpp`: "1.6" or "2.0.1"."""

    def __init__(self, ocpp: str = "1.6") -> None:
        self.ocpp = ocpp
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

    def ended(self) -> list[Answer]:
        """The last event of each transaction of 2.0.1 that has ended."""
        lasts = [events[-1] for events in self.events().values()]
        return [one for one in lasts if one["eventType"] == "Ended"]

    def events(self) -> dict[str, list[Answer]]:
        """Of each transaction of 2.0.1 what was told of it, each message once, in its order."""
        found: dict[str, list[Answer]] = {}
        for one in self.said("TransactionEvent"):
            known = found.setdefault(one["transactionInfo"]["transactionId"], [])
            if all(one["seqNo"] != other["seqNo"] for other in known):
                known.append(one)
        return found


class FailingBackEnd(BackEnd):
    """One that does what `how(action)` says: "good", "slow", "error", "twice", "silent", "cut
    before" it has taken a message, or "cut after". `refuse`: the status of its handshakes, 0: none.

    `tls`: it listens with that, by the name localhost. `asked_by`: who dialled last, by HTTP Basic.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, ocpp: str = "1.6") -> None:
        super().__init__(ocpp)
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
            self._serve, "127.0.0.1", self.port, subprotocols=[Subprotocol(f"ocpp{self.ocpp}")],
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
        # What was told before an absence is told after it as having happened in it (E11.FR.07).
        same = known[1] if "offline" in known[1] else {**known[1], "offline": True}
        assert (action, asked) in (known, (known[0], same)), "another message of that id"
        if action == "StartTransaction":
            self._numbers.setdefault(id_, len(self._numbers) + 1)
        if how == "cut after":
            return False
        text = json.dumps([3, id_, answer_to(action, asked, self._numbers.get(id_, 0))])
        if how == "slow":
            time.sleep(2)
        for _ in range(2 if how == "twice" else 1):
            connection.send(text)
        return True


class OcppBackEnd(BackEnd):
    """The central system of the package `ocpp`, in a thread of its own; used as a context."""

    def __init__(self, ocpp: str = "1.6") -> None:
        super().__init__(ocpp)
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
        request = getattr(_modules(self.ocpp).call, action)(**camel_to_snake_case(payload))
        found = self._do(self._station.call(request, suppress=False))
        return dict(snake_to_camel_case(vars(found)))

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(40)

    async def _open(self) -> None:
        self._server = await serve_async(
            self._serve, "127.0.0.1", 0, subprotocols=[Subprotocol(f"ocpp{self.ocpp}")],
            compression=None,
        )  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, connection: AsyncConnection) -> None:
        name = connection.request.path if connection.request else ""
        self._station = _station(self, name, connection)
        with suppress(Exception):
            await self._station.start()


def _modules(version: str) -> Any:
    return ocpp.v201 if version == "2.0.1" else ocpp.v16


def _station(back_end: OcppBackEnd, name: str, connection: AsyncConnection) -> Any:
    """A station, as the package's central system sees it."""
    module = _modules(back_end.ocpp)

    def handler(action: str) -> Any:
        def handle(_self: Any, **fields: Any) -> Any:
            asked = snake_to_camel_case(fields)
            back_end.heard.append((action, asked))
            answer = answer_to(action, asked, len(back_end.said("StartTransaction")))
            return getattr(module.call_result, action)(**camel_to_snake_case(answer))

        handle.__name__ = f"_{action}"  # by that the package finds it
        return on(action)(handle)

    names = (
        "BootNotification", "Heartbeat", "Authorize", "StatusNotification", *MATTERS,
        "NotifyReport", "ReportChargingProfiles",
    )  # fmt: skip
    known = [one for one in names if hasattr(module.call, one)]
    made = type("Station", (module.ChargePoint,), {f"_{one}": handler(one) for one in known})
    return made(name, connection)


class RpcBackEnd(BackEnd):
    """The server of the npm package `ocpp-rpc`, with strict schemas, in a process of its own."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "server.js"), f"ocpp{self.ocpp}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=FOLDER,
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
