"""A real broker and a real web process; the test speaks as Registry, Central and CP Manager."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from evcs.adapters import broker_accounts
from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.adapters.secret_files import SecretFiles
from evcs.core import identities, topics
from evcs.core import messages as m
from evcs.core.charge_point import OCPP_STATUS, State
from evcs.core.ports import Received
from evcs.home import Home
from tests import ports
from tests.adapters.broker import Broker
from tests.system_under_test import ROOT, eventually

WITHIN_S = 20.0
#: Who is held up by others waits for ten seconds and more; who is not, on a busy machine, for less.
AT_ONCE_S = 5.0
SINCE = "2026-11-22T09:00:00.000Z"


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until the condition gives something true, and give that."""
    return eventually(what, condition, WITHIN_S, 0.02)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stage:
    """One home on free ports. `close` ends every process that it started."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self._broker = Broker(self.home)
        self.web_port, self.registry_port = ports.free(2)
        self.url = f"http://127.0.0.1:{self.web_port}"
        secrets = SecretFiles(self.home)
        broker_accounts.write(self.home, {who: secrets.create(who) for who in identities.SERVICES})
        self.token = secrets.create("operator.token")
        self._web: subprocess.Popen[bytes] | None = None
        self._registry: subprocess.Popen[bytes] | None = None
        self._revision = 0
        self._voices: dict[str, BusThread] = {}
        #: What web asked of Central, and by verb what Central answers: a body, or an error's code.
        self.asked: list[m.OperatorRequest] = []
        self.answers: dict[str, dict[str, Any] | str] = {"processes": {"processes": []}}

    def start_broker(self) -> None:
        """Start the broker and wait for its port."""
        self._broker.start()

    def stop_broker(self) -> None:
        """End the broker."""
        self._broker.stop()

    def start_web(self) -> None:
        """Start the web process and wait for its port."""
        self._web = self._start("web")
        wait_for(lambda: self._listens(self.web_port), "web listens")

    def start_registry(self) -> None:
        """Start a real Registry, in place of the test's own voice, and wait for its port."""
        if voice := self._voices.pop("registry", None):
            voice.stop()
        self._registry = self._start("registry")
        wait_for(lambda: self._listens(self.registry_port), "the Registry listens")

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        env = {
            **os.environ,
            "EVCS_HOME": str(self.home.path),
            "EVCS_MQTT_PORT": str(self._broker.port),
            "EVCS_WEB_PORT": str(self.web_port),
            "EVCS_REGISTRY_PORT": str(self.registry_port),
            "PYTHONPATH": str(ROOT),
        }
        log = (self.home.log / f"{role}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "evcs", role],
            cwd=self.home.path, env=env, stdout=log, stderr=log,
        )  # fmt: skip

    def stop_web(self) -> None:
        """End the web process."""
        _end(self._web)
        self._web = None

    @property
    def web_pid(self) -> int:
        """The web process's pid."""
        assert self._web is not None
        return self._web.pid

    @property
    def registry_pid(self) -> int:
        """The Registry's pid."""
        assert self._registry is not None
        return self._registry.pid

    def close(self) -> None:
        """End everything."""
        for voice in self._voices.values():
            voice.stop()
        self.stop_web()
        _end(self._registry)
        self.stop_broker()

    def voice(self, identity: str) -> BusThread:
        """A connection that speaks as a service."""
        if identity not in self._voices:
            account = Account(
                self.home.broker_socket,
                identity,
                lambda: SecretFiles(self.home).read(identity),
            )
            heard = [topics.filter_for(m.OperatorRequest)] if identity == "central" else []
            self._voices[identity] = bus = BusThread(account, self._on_event, heard)
            bus.start()
        bus = self._voices[identity]
        wait_for(lambda: bus.connected, f"{identity} is connected")
        return bus

    def _on_event(self, event: Any) -> None:
        """Central answers web."""
        asked = event.message if isinstance(event, Received) else None
        if isinstance(asked, m.OperatorRequest):
            self.asked.append(asked)
            found = self.answers.get(asked.verb, {})
            body = {"message": "so it is", "hint": "do that"} if isinstance(found, str) else found
            error = found if isinstance(found, str) else None
            answer = m.OperatorEvent("web", "answer", asked.id, error is None, error, body)
            self._voices["central"].publish(answer)

    def births(self) -> None:
        """All services say that they are there; the Registry, as always, after its list."""
        for service in ("manager/main", "central", "registry"):
            self.voice(service).publish(m.ServiceStatus(service, True, f"boot-{service}", "0.1.0"))

    def wants(self, cp: str, **fields: Any) -> m.DesiredCp:
        """The Registry's word on a CP, and that the CP Manager did it."""
        self._revision += 1
        wanted = m.DesiredCp(
            cp, cp, "in", "0.30", 22_000, "", "main", False, False, self._revision
        )._replace(**fields)
        self.voice("registry").publish(wanted)
        self.voice("manager/main").publish(m.ReconcileReport("main", cp, True, self._revision))
        return wanted

    def judges(self, cp: str, state: str, reason: str = "", **session: Any) -> None:
        """Central's word on a CP; with fields of a session, it is supplying."""
        view = m.SessionView(**session) if session else None
        self.voice("central").publish(
            m.CpState(cp, state, reason, SINCE, OCPP_STATUS[State(state)], view, self._revision)
        )

    def cable(self, name: str, max_power_w: int, parent: str | None = None) -> None:
        """The Registry's word on a circuit."""
        self.voice("registry").publish(m.Circuit(name, max_power_w, parent))

    def carries(self, name: str, max_power_w: int, **figures: int) -> None:
        """Central's word on it."""
        told = m.CircuitState(name, max_power_w, 0, 0, 0, 0, 0)._replace(**figures)  # type: ignore[arg-type]
        self.voice("central").publish(told)

    def no_cable(self, name: str) -> None:
        """Neither has it any more."""
        self.voice("registry").publish(topics.clear(m.Circuit, name=name))
        self.voice("central").publish(topics.clear(m.CircuitState, name=name))

    def observes(self, cp: str) -> None:
        """That a CP's Engine is there; the Registry may write what is the Engine's to say."""
        self.voice("registry").publish(m.EngineStatus(cp, True, f"boot-{cp}"))

    def get(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """One request to web. A body is sent as JSON; header names are given with _ for -."""
        return self.ask(self.web_port, path, method, body, **headers)

    def ask(
        self, port: int, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> Answer:
        """The same, to a port."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            given.setdefault("Content-Type", "application/json")
            body = json.dumps(body) if not isinstance(body, bytes) else body
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def bearer(self) -> dict[str, str]:
        """The operator's header."""
        return {"Authorization": f"Bearer {self.token}"}

    def login_url(self, then: str = "/") -> str:
        """A fresh one-time link."""
        url: str = self.get("/api/v1/login", "POST", **self.bearer()).json["url"]
        return f"{url}?next={then}"

    def sign_in(self) -> tuple[str, str]:
        """A session as a browser gets it: its cookie, and the page's token."""
        path = self.login_url().removeprefix(self.url)
        answer = self.get(path)
        return answer.headers["Set-Cookie"].partition(";")[0], page_token(answer.body)

    def _listens(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


def page_token(body: bytes) -> str:
    """The token in the page that a link leads to."""
    found = re.search(rb'data-csrf="([0-9a-f]{64})"', body)
    assert found, body
    return found[1].decode()


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """End a process that may not be there."""
    if process is not None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("a process did not end at SIGTERM") from None
