"""A real system in a home of its own, on free ports, driven by its real commands."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from evcs.adapters import processes
from evcs.adapters.supervisord import Supervisord
from evcs.cli import cp_changes
from evcs.cli.common import CommandContext, Out
from evcs.config import load
from evcs.core.cp_manager_ports import Process
from evcs.core.errors import EvcsError, Unreachable
from evcs.home import Home
from tests import ports
from tests.command_server import command_server

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 60.0

_log = logging.getLogger(__name__)


def eventually(
    what: str, probe: Callable[[], Any], deadline_s: float = DEADLINE_S, every_s: float = 0.05
) -> Any:
    """The first true answer of `probe`; fails with its last answer at the deadline.

    Who waits for long looks less often in the end: a look is work for several processes.
    """
    deadline, longest_s = time.monotonic() + deadline_s, max(every_s, 0.25)
    found: Any = None
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(every_s)
        every_s = min(every_s * 1.1, longest_s)
    raise AssertionError(f"not within {deadline_s:g} s: {what}; last seen: {found!r}")


def _hear_interrupts() -> None:
    """As at a terminal: what a shell starts in the background ignores SIGINT, and so would this."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _name(process: Process) -> str:
    """As supervisorctl has it."""
    if process.group == process.name:
        return process.name
    return f"{process.group}:{process.name}"


class Done(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


class System:
    """One home. Commands run as a user would run them."""

    #: Of the network, in which they do so; None: the machine's own.
    namespace: str | None = None

    def __init__(self, home: Path, time_scale: float = 60.0, commands: Path = ROOT / "bin") -> None:
        self.home, self.commands = home, commands
        mine = ports.free(4)
        self.mqtt_port, self.web_port, self.registry_port, self.ocpp_port = mine
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.env = {
            **kept,
            "PATH": f"{commands}:{kept['PATH']}",
            "LANG": "C.UTF-8",
            "EVCS_HOME": str(home),
            "EVCS_MQTT_PORT": str(self.mqtt_port),
            "EVCS_WEB_PORT": str(self.web_port),
            "EVCS_REGISTRY_PORT": str(self.registry_port),
            "EVCS_OCPP_PORT": str(self.ocpp_port),
            "EVCS_TIME_SCALE": str(time_scale),
        }
        self.supervisord_pid: int | None = None

    @property
    def web_url(self) -> str:
        """The dashboard's address."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def registry_url(self) -> str:
        """The Registry's address."""
        return f"http://127.0.0.1:{self.registry_port}"

    @property
    def token(self) -> str:
        """The operator's token."""
        return (self.home / "data" / "secrets" / "operator.token").read_text()

    def run(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run a command, whatever its end; by its launcher where it has more of an environment."""
        if env or self.commands != ROOT / "bin":
            return self.launch(program, *args, timeout=timeout, **env)
        whole = {**self.env, "PYTHONPATH": str(ROOT), "EVCS_TYPED": ""}
        served = command_server()
        return Done(*served.run(program, args, whole, self.home.parent, timeout, self.namespace))

    def launch(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run one of bin/*, whatever its end."""
        done = subprocess.run(
            [str(self.commands / program), *args], env={**self.env, **env}, cwd=self.home.parent,
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def ok(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run a command that must end with 0."""
        done = self.run(program, *args, timeout=timeout, **env)
        assert done.code == 0, (program, args, done)
        return done

    def spawn(self, program: str, *args: str) -> subprocess.Popen[str]:
        """Start one of bin/* and leave it running."""
        return subprocess.Popen(
            [str(self.commands / program), *args], env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
            preexec_fn=_hear_interrupts,
        )  # fmt: skip

    def up(self, **env: str) -> None:
        """Start, and wait for every CP."""
        self.ok("evcs", "up", "--wait", timeout=120.0, **env)
        self.supervisord_pid = int((self.home / "run" / "supervisord.pid").read_text())

    def down(self) -> None:
        """Stop in order, and by force if that doesn't do."""
        if self.stray_pids():
            self.run("evcs", "down")
        for pid in self.stray_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def tracebacks(self) -> list[str]:
        """Logs with an exception that nobody caught, and that no test asked for."""
        logs = (self.home / "log").glob("*.log*")
        return [
            log.name
            for log in logs
            for line in log.read_bytes().splitlines()
            if b"Traceback" in line and b"RuntimeError: fail point " not in line
        ]

    def stray_pids(self) -> list[int]:
        """Processes of this home, found by their environment."""
        return processes.of_home(self.home)

    def _told(self) -> list[Process]:
        with contextlib.suppress(EvcsError):
            return Supervisord(Home(self.home).supervisor_socket).processes()
        return []

    def processes(self) -> dict[str, int]:
        """supervisord's view: "CP-001:engine" -> pid, of those that run."""
        return {_name(one): one.pid for one in self._told() if one.state in ("RUNNING", "STARTING")}

    def steady(self) -> dict[str, int]:
        """The same, once supervisord calls every process RUNNING (after its first second)."""

        def probe() -> dict[str, int]:
            told = self._told()
            return {_name(one): one.pid for one in told if all(p.state == "RUNNING" for p in told)}

        found: dict[str, int] = eventually("every process RUNNING", probe)
        return found

    def pids_of(self, *words: str) -> list[int]:
        """Processes of this home whose command line ends with these words."""
        found = []
        for pid in self.stray_pids():
            with contextlib.suppress(OSError):
                if processes.words(pid)[-len(words) :] == list(words):
                    found.append(pid)
        return found

    def kill_all(self) -> None:
        """SIGKILL to every process of this home at once: a power cut."""
        pids = self.stray_pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually("all are gone", lambda: not self.stray_pids())

    def cps(self) -> list[dict[str, Any]]:
        """What `evcs-cp list --json` prints."""
        return cp_changes.read(CommandContext(load(self.env), Out(True, True, False)))

    def states(self) -> dict[str, str]:
        """CP -> judged state."""
        return {cp["id"]: cp["state"] for cp in self.cps()}

    def wait_for_state(self, cp: str, state: str, deadline_s: float = DEADLINE_S) -> None:
        """Until Central judges the CP so; a Registry that is coming back may not answer yet."""

        def probe() -> str | None:
            with contextlib.suppress(Unreachable):
                return self.states().get(cp)
            return None

        eventually(f"{cp} {state}", lambda: probe() == state, deadline_s, every_s=0.1)

    def http(
        self, method: str, url: str, body: Any = None, token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:  # fmt: skip
        """One HTTP call: status and parsed body."""
        data = (
            body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        )
        request = urllib.request.Request(url, data, headers or {}, method=method)
        if data is not None and not request.has_header("Content-type"):
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                raw, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            raw, status = error.read(), error.code
        return status, json.loads(raw) if raw else None

    def secret(self, identity: str) -> str:
        """An identity's password."""
        return (self.home / "data" / "secrets" / identity).read_text()

    def _inspector(self, *filters: str) -> Client:
        """Who subscribes to these once it is connected, over the broker's own socket."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5,
                        transport="unix")  # fmt: skip
        client.username_pw_set("inspector", self.secret("inspector"))

        def ask(*_: Any) -> None:
            for one in filters:
                client.subscribe(one)

        client.on_connect = ask
        return client

    def retained(self, filter_: str = "evcs/#") -> dict[str, Any]:
        """Retained messages, topic -> payload (raw where it is no JSON); none without a broker."""
        found: dict[str, Any] = {}
        answered: list[int] = []
        # At QoS 0 the broker has sent what it keeps before it answers the next question.
        client = self._inspector(filter_, "evcs/none")

        def take(_client: Client, _data: Any, message: MQTTMessage) -> None:
            if message.retain:
                found[message.topic] = message.payload
                with contextlib.suppress(ValueError):
                    found[message.topic] = json.loads(message.payload)

        client.on_message = take
        client.on_subscribe = lambda *args: answered.append(args[2])
        deadline = time.monotonic() + 10.0
        try:
            client.connect(str(Home(self.home).broker_socket))
            while len(answered) < 2 and time.monotonic() < deadline:
                if (code := client.loop(1.0)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    _log.warning("the broker sent nothing that it keeps: %r", code)
                    return {}
        except OSError:
            return {}
        client.disconnect()
        return found

    @contextlib.contextmanager
    def listening(self, filter_: str) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        """Messages that come by while the block runs, as (topic, payload); what is kept, first."""
        found: list[tuple[str, dict[str, Any]]] = []
        subscribed = threading.Event()
        client = self._inspector(filter_)

        def take(_client: Client, _data: Any, message: MQTTMessage) -> None:
            if message.payload:
                found.append((message.topic, json.loads(message.payload)))

        client.on_message = take
        client.on_subscribe = lambda *_: subscribed.set()
        client.connect(str(Home(self.home).broker_socket))
        client.loop_start()
        assert subscribed.wait(20), filter_
        try:
            yield found
        finally:
            client.disconnect()
            client.loop_stop()
