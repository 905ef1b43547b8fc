"""TCP ports of this machine: free or held, and by whom."""

from __future__ import annotations

import errno
import secrets
import shlex
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path

from evcs.adapters import processes
from evcs.config import LOOPBACK, Settings
from evcs.core.errors import Conflict, EvcsError
from evcs.core.pools import OCPP
from evcs.core.sections import file_name

LOWEST, HIGHEST = 10_000, 32_768
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free(count: int, among: Iterator[int] | None = None) -> list[int]:
    """So many ports that nobody listens on, and that no outgoing connection is given.

    Of the kernel's own range for those one may be gone while a service restarts. Raises
    EvcsError.
    """
    found: list[int] = []
    for port in islice(among or candidates(), HIGHEST):
        if len(found) < count and _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise EvcsError("no free port", "end some programs")


def free_or_other(port: int) -> int:
    """This port if nobody has it, else another."""
    return port if _is_free(port) else free(1)[0]


@cache
def candidates(part: int = 0, parts: int = 1) -> Iterator[int]:
    """The ports below the kernel's range in turn, in each process from another one on.

    Of several processes that keep ports for later each takes its own part of them.
    """
    try:
        end = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        end = 0
    span = range(LOWEST, end if end > LOWEST else HIGHEST)
    size = len(span) // parts
    span = span[part * size : (part + 1) * size]
    began = secrets.randbelow(len(span))
    return cycle([*span[began:], *span[:began]])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listeners(settings: Settings) -> list[tuple[str, str, int]]:
    """All that we listen on: the setting that says the port, the address, the port."""
    if settings.is_joined:
        return []
    found = [
        ("mqtt_port", LOOPBACK, settings.mqtt_port),
        ("web_port", settings.http_listen, settings.web_port),
        ("registry_port", settings.http_listen, settings.registry_port),
    ]
    if settings.mqtt_is_open:
        found.append(("mqtt_tls_port", settings.mqtt_listen, settings.mqtt_tls_port))
    if (settings.home.sections / file_name(OCPP)).exists():  # only while there is a real charger
        found.append(("ocpp_port", settings.ocpp_listen, settings.ocpp_port))
    return found


def check_ports(settings: Settings) -> None:
    """Raises Conflict, naming who holds a port that we need."""
    wanted = listeners(settings)
    for name, address, port in wanted:
        if (address, port) in [one[1:] for one in wanted if one[0] != name]:
            raise Conflict(f"port {port} is wanted twice: {name}", "see: evcs config show")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise Conflict(
                        f"this machine has no address {address}",
                        "correct listen in [mqtt], [http] or [ocpp]: evcs config show",
                    ) from None
                text = f"{address} port {port}: {error.strerror}"
                way_out = f"choose another with EVCS_{name.upper()}, or end it"
                if error.errno == errno.EADDRINUSE:
                    pid, who = listener(port)
                    text = f"port {port} is in use by {who or 'an unknown program'}"
                    way_out = _ending(pid, settings, way_out)
                raise Conflict(text, way_out) from None


def _ending(pid: int | None, settings: Settings, way_out: str) -> str:
    """The way out, with how to end a process that is of a home of this user's."""
    home = processes.environment(pid).get("EVCS_HOME") if pid is not None else None
    if not home:
        return way_out
    if home == str(settings.home.path):
        return "it is of this system, whose supervisord is lost: evcs doctor --fix, then evcs up"
    return f"{way_out}: EVCS_HOME={shlex.quote(home)} evcs down"


def listener(port: int) -> tuple[int | None, str | None]:
    """Pid and name of who listens on a TCP port; no name where nobody does."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[1].endswith(f":{wanted}"):
                return _process_of(f"socket:[{fields[9]}]")
    return None, None


def _process_of(link: str) -> tuple[int | None, str]:
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(fd.readlink()) == link:
                pid = fd.parts[2]
                return int(pid), f"{Path('/proc', pid, 'comm').read_text().strip()}, pid {pid}"
        except OSError:
            continue
    return None, "another user's process"
