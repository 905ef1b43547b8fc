"""Machines of a test: network namespaces on one wire, with a real system in each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from evcs.adapters import network_namespaces
from evcs.adapters.network_namespaces import FIRST, Wire, inside
from evcs.core.errors import EvcsError
from tests.hosts.rough_line import RoughLine, rough_line
from tests.system_under_test import ROOT, Done, System, eventually


class Machine(System):
    """A system in a namespace of its own; its commands run in there."""

    def __init__(self, home: Path, namespace: str, number: int, **env: str) -> None:
        super().__init__(home)
        self.namespace: str = namespace
        self.number = number
        kept = {name: self.env[name] for name in ("PATH", "HOME", "LANG", "EVCS_HOME")}
        armed = {"EVCS_CRASH_AT": f"@{self.crash_mark}"}
        self.env = {**kept, "EVCS_TIME_SCALE": "60", **armed, **env}
        self.mqtt_port, self.web_port, self.registry_port, self.ocpp_port = 1883, 8081, 8082, 8887

    @property
    def crash_mark(self) -> Path:
        """What is named in there is where a process of the system ends itself, once."""
        return self.home / "run" / "crash_at"

    def launch(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run one of bin/*, whatever its end."""
        done = subprocess.run(
            self._inside(program, args), env={**self.env, **env}, cwd=self.home.parent,
            capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def spawn(self, program: str, *args: str) -> subprocess.Popen[str]:
        """Start one of bin/* and leave it running."""
        return subprocess.Popen(
            self._inside(program, args), env=self.env, cwd=self.home.parent,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _inside(self, program: str, args: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, str(self.commands / program), *args]

    def cps(self) -> list[dict[str, Any]]:
        """What `evcs-cp list --json` prints; nothing where it can't."""
        with suppress(EvcsError), inside(self.namespace):
            return super().cps()
        return []


class Network:
    """A centre and other machines; `machine(2)` is h2."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        self._folder, self._wire = folder, wire
        self._machines: dict[int, Machine] = {}
        self._others: list[Machine] = []
        centre = wire.address(FIRST)
        self.centre = self._home(FIRST, EVCS_MQTT_LISTEN=centre, EVCS_HTTP_LISTEN=centre)

    def machine(self, number: int) -> Machine:
        """One more machine, on the centre's wire."""
        if number not in self._machines:
            self._wire.add(number)
            self._home(number)
        return self._machines[number]

    def another_home(self, machine: Machine, name: str) -> Machine:
        """One more home on that machine."""
        made = Machine(self._folder / name, machine.namespace, machine.number)
        self._others.append(made)
        return made

    def _home(self, number: int, **env: str) -> Machine:
        made = Machine(self._folder / f"m{number}", self._wire.namespace(number), number, **env)
        self._machines[number] = made
        return made

    def cut(self, machine: Machine) -> None:
        """Take a machine off the wire: nothing gets through, and nobody is told."""
        self._wire.cut(machine.number)

    def mend(self, machine: Machine) -> None:
        """Put it back."""
        self._wire.mend(machine.number)

    def rough(self, machine: Machine) -> AbstractContextManager[RoughLine]:
        """Meanwhile its line loses packets, and is late."""
        address = self._wire.address(machine.number)
        return rough_line(self.centre.namespace, machine.namespace, address)

    def close(self) -> None:
        """End all systems."""
        for machine in (*self._others, *self._machines.values()):
            machine.down()


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Machines for the length of a `with` block."""
    with network_namespaces.wire(1) as wire:
        made = Network(folder, wire)
        try:
            yield made
        finally:
            made.close()


def start_centre(machines: Network) -> Machine:
    """The centre, running, for others to join."""
    machines.centre.ok("evcs", "tls", "init")
    machines.centre.up()
    return machines.centre


def join(machines: Network, number: int) -> Machine:
    """Have that machine join, as an operator would, and wait until it is online."""
    made, name = machines.machine(number), f"h{number}"
    path = machines.centre.home.parent / f"{name}.join"
    machines.centre.ok("evcs", "host", "add", name, "--file", str(path))
    made.ok("evcs", "join", str(path))
    eventually(f"{name} is online", lambda: host(machines.centre, name)["online"], 20)
    path.unlink()
    return made


def host(centre: Machine, name: str) -> dict[str, Any]:
    """A host's row of `evcs host list`."""
    rows = centre.ok("evcs", "host", "list", "--json").json
    return dict(next(one for one in rows if one["name"] == name))


__all__ = ["ROOT", "Machine", "Network", "host", "join", "network", "start_centre"]
