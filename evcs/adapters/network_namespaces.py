"""Machines on one: network namespaces on a wire of their own, made and cut by iproute2."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from evcs.core.errors import Denied, EvcsError

#: The first machine of a wire has a bridge, into which the cables of all others go.
NETWORK, FIRST = "10.77.0", 1
#: From linux/sched.h.
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str:
    """What is missing to make any; "" where nothing is."""
    if os.geteuid() != 0:
        return "network namespaces are made by root alone"
    return "" if shutil.which("ip") else "ip is not installed (Debian's iproute2)"


class Wire:
    """Machines by their numbers. Each method raises EvcsError where iproute2 refuses."""

    def __init__(self) -> None:
        self._name, self._numbers = f"evcs{os.getpid()}", list[int]()
        self.add(FIRST)
        self._ip(FIRST, "link", "add", "wire", "type", "bridge")
        self._plug_in(FIRST)

    def namespace(self, number: int) -> str:
        """The name of a machine's namespace."""
        return f"{self._name}n{number}"

    def address(self, number: int) -> str:
        """Where the others reach a machine."""
        return f"{NETWORK}.{number}"

    def add(self, number: int) -> None:
        """One more machine, with a cable to the first."""
        _run("netns", "add", self.namespace(number))
        self._numbers.append(number)
        self._ip(number, "link", "set", "lo", "up")
        if number != FIRST:
            end = ("peer", "name", "wire", "netns", self.namespace(number))
            self._ip(FIRST, "link", "add", f"to{number}", "type", "veth", *end)
            self._ip(FIRST, "link", "set", f"to{number}", "master", "wire", "up")
            self._plug_in(number)

    def cut(self, number: int) -> None:
        """Nothing gets through to that machine any more, and nobody is told."""
        self._ip(FIRST, "link", "set", self._cable(number), "down")

    def mend(self, number: int) -> None:
        """As before."""
        self._ip(FIRST, "link", "set", self._cable(number), "up")

    def close(self) -> None:
        """Remove them; what runs there keeps running, without a wire."""
        for number in self._numbers:
            subprocess.run(["ip", "netns", "del", self.namespace(number)], check=False)

    def _cable(self, number: int) -> str:
        return "wire" if number == FIRST else f"to{number}"

    def _plug_in(self, number: int) -> None:
        self._ip(number, "addr", "add", f"{self.address(number)}/24", "dev", "wire")
        self._ip(number, "link", "set", "wire", "up")

    def _ip(self, number: int, *words: str) -> None:
        _run("-n", self.namespace(number), *words)


def _run(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["no word why"]
        raise EvcsError(f"no network namespace: ip {' '.join(words)}: {said[0]}",
                        "a container has to be allowed to make them")  # fmt: skip


@contextmanager
def wire(machines: int) -> Iterator[Wire]:
    """So many machines for the length of a `with` block. Raises EvcsError."""
    if why := why_not():
        raise Denied(why, "run this as root, with iproute2 installed")
    made = Wire()
    try:
        for number in range(FIRST + 1, FIRST + machines):
            made.add(number)
        yield made
    finally:
        made.close()


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, in there for the length of a `with` block."""
    with Path("/proc/thread-self/ns/net").open() as before:
        enter(namespace)
        try:
            yield
        finally:
            _enter(before)


def enter(namespace: str) -> None:
    """This thread, and what it starts, from now on. Raises OSError."""
    with Path("/run/netns", namespace).open() as there:
        _enter(there)


def _enter(namespace: TextIO) -> None:
    if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
