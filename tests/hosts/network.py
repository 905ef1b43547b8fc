"""Machines of a test: network namespaces on one wire, with a real system in each."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system_under_test import ROOT, Done, System, eventually

NETWORK = "10.77.0"
CENTRE = f"{NETWORK}.1"


def ip(*words: str) -> None:
    """One of iproute2's commands."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Machine(System):
    """A system in a namespace of its own; its commands run in there."""

    def __init__(self, home: Path, namespace: str, number: int, **env: str) -> None:
        super().__init__(home)
        self.namespace, self.number = namespace, number
        kept = {name: self.env[name] for name in ("PATH", "HOME", "LANG", "EVCS_HOME")}
        self.env = {**kept, "EVCS_TIME_SCALE": "60", **env}
        self.mqtt_port, self.web_port, self.registry_port, self.ocpp_port = 1883, 8081, 8082, 8887

    def run(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run a command, in the namespace."""
        return self.launch(program, *args, timeout=timeout, **env)

    def launch(self, program: str, *args: str, timeout: float = 120.0, **env: str) -> Done:
        """Run one of bin/*, whatever its end."""
        inside = ("ip", "netns", "exec", self.namespace, str(self.commands / program))
        done = subprocess.run(
            [*inside, *args], env={**self.env, **env}, cwd=self.home.parent, capture_output=True,
            text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def cps(self) -> list[dict[str, Any]]:
        """What `evcs-cp list --json` prints."""
        done = self.run("evcs-cp", "list", "--json")
        return list(json.loads(done.out)) if done.code == 0 else []


class Network:
    """A centre and other machines; `machine(2)` is h2."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._name = folder, f"evcsh{os.getpid()}"
        self._machines: dict[int, Machine] = {}
        self._others: list[Machine] = []
        self.centre = self._add(1, EVCS_MQTT_LISTEN=CENTRE, EVCS_HTTP_LISTEN=CENTRE)
        ip("-n", self.centre.namespace, "link", "add", "wire", "type", "bridge")
        ip("-n", self.centre.namespace, "addr", "add", f"{CENTRE}/24", "dev", "wire")
        ip("-n", self.centre.namespace, "link", "set", "wire", "up")

    def machine(self, number: int) -> Machine:
        """One more machine, on the centre's wire."""
        if number in self._machines:
            return self._machines[number]
        made, centre = self._add(number), self.centre.namespace
        ip("-n", centre, "link", "add", f"to{number}", "type", "veth",
           "peer", "name", "wire", "netns", made.namespace)  # fmt: skip
        ip("-n", centre, "link", "set", f"to{number}", "master", "wire", "up")
        ip("-n", made.namespace, "addr", "add", f"{NETWORK}.{number}/24", "dev", "wire")
        ip("-n", made.namespace, "link", "set", "wire", "up")
        return made

    def another_home(self, machine: Machine, name: str) -> Machine:
        """One more home on that machine."""
        made = Machine(self._folder / name, machine.namespace, machine.number)
        self._others.append(made)
        return made

    def _add(self, number: int, **env: str) -> Machine:
        namespace = f"{self._name}n{number}"
        ip("netns", "add", namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        made = Machine(self._folder / f"m{number}", namespace, number, **env)
        self._machines[number] = made
        return made

    def cut(self, machine: Machine) -> None:
        """Take a machine off the wire: nothing gets through, and nobody is told."""
        ip("-n", self.centre.namespace, "link", "set", f"to{machine.number}", "down")

    def mend(self, machine: Machine) -> None:
        """Put it back."""
        ip("-n", self.centre.namespace, "link", "set", f"to{machine.number}", "up")

    def close(self) -> None:
        """End all systems and remove the namespaces."""
        for other in self._others:
            other.down()
        for machine in self._machines.values():
            machine.down()
            subprocess.run(["ip", "netns", "del", machine.namespace], check=False)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Machines for the length of a `with` block."""
    made = Network(folder)
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


__all__ = ["CENTRE", "ROOT", "Machine", "Network", "host", "join", "network", "start_centre"]
