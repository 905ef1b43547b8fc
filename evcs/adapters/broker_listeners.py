"""Where the broker listens, and how many connections it may take."""

from __future__ import annotations

import os
import re
import resource
from contextlib import suppress
from pathlib import Path

from evcs.adapters import certificates
from evcs.adapters.files import write_atomic
from evcs.config import LOOPBACK, Settings
from evcs.core.setting_values import ALWAYS
from evcs.home import Home

#: Log, listeners, epoll, signals and the like.
BASE_FDS = 64
FDS_A_CP = 2
#: Each may have the broker make room for a packet (broker_memory).
MOST = 2_048
#: Of another host's, with those that a cut line took along and the broker has not given up yet.
CONNECTIONS_A_CP_ELSEWHERE = 2 * FDS_A_CP
#: For so many there is room from `evcs up` on, and for more where there are more then.
CPS_A_HOST = 500

_TLS = "certfile {pem}\nkeyfile {pem}\ntls_version tlsv1.2\n"
_BOUND = re.compile(r"^listener ([1-9]\d*) .*\nmax_connections (\d+)$", re.MULTILINE)


def strangers(limit: int, cps: int) -> int:
    """Connections over TCP that a broker with so many open files may have beside `cps` CPs.

    Half of what the CPs leave: the other half is for services, commands and drivers of this
    host, and for what comes between two looks (broker_connections). -1: no limit.
    """
    room = (limit - BASE_FDS - FDS_A_CP * cps) // 2
    return MOST if limit < 0 else min(max(room, 1), MOST)


def of_hosts(limit: int, cps: int, hosts: int, elsewhere: int) -> int:
    """Connections that other hosts' CPs may have beside `cps` here; there are `elsewhere` now.

    Half of what the CPs here leave, at most. -1: no limit.
    """
    wanted = CONNECTIONS_A_CP_ELSEWHERE * max(CPS_A_HOST * hosts, elsewhere)
    room = (limit - BASE_FDS - FDS_A_CP * cps) // 2
    return wanted if limit < 0 else max(min(room, wanted), 0)


def write(settings: Settings, limit: int, cps: int, hosts: int = 0, elsewhere: int = 0) -> None:
    """Render the listeners of a broker with so many open files, for so many CPs here.

    `hosts`: how many others there are, or may join; those that are there have `elsewhere` CPs.
    """
    home, theirs = settings.home, of_hosts(limit, cps, hosts, elsewhere)
    connections = strangers(limit if limit < 0 else limit - theirs, cps)
    tls = _TLS.format(pem=certificates.server(home).relative_to(home.path))
    outer = [(settings.mqtt_port, LOOPBACK, tls if settings.mqtt_tls == ALWAYS else "")]
    if settings.mqtt_is_open:
        outer.append((settings.mqtt_tls_port, settings.mqtt_listen, tls))
    share = max(connections // len(outer), 1)
    text = (
        "# Rendered by `evcs up` from settings and limits; changes here are lost.\n"
        # Root's broker would become the user mosquitto, who can't read the passwords.
        f"{'user root' if os.geteuid() == 0 else ''}\n"
        f"listener 0 {home.broker_socket.relative_to(home.path)}\n"
    )
    for port, address, options in outer:
        most = share + (theirs if port == settings.mqtt_tls_port else 0)
        text += f"listener {port} {address}\nmax_connections {most}\n{options}"
    write_atomic(home.broker_listeners, text.encode())


def bounds(home: Home) -> dict[int, int]:
    """TCP port -> connections that the broker takes there. Raises OSError."""
    return {
        int(port): int(most) for port, most in _BOUND.findall(home.broker_listeners.read_text())
    }


def carried(home: Home) -> int | None:
    """How many CPs the broker that runs has files for, beside its strangers; None: none runs."""
    pid = broker_pid(home)
    if pid is None:
        return None
    with suppress(OSError):  # it has just ended
        limit, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        if limit >= 0:
            return max((limit - BASE_FDS - sum(bounds(home).values())) // FDS_A_CP, 0)
    return None


def carried_elsewhere(settings: Settings) -> int | None:
    """How many CPs other hosts may have by the bound of the port that they dial; None: it has none.

    What a cut line took along is not counted: the broker soon gives that up.
    """
    with suppress(OSError):
        most = bounds(settings.home).get(settings.mqtt_tls_port)
        return None if most is None else most // FDS_A_CP
    return None


def broker_pid(home: Home) -> int | None:
    """The broker's pid, as it wrote it; None where it doesn't run."""
    try:
        pid = int((home.run / "mosquitto.pid").read_text())
        return pid if Path(f"/proc/{pid}/comm").read_text() == "mosquitto\n" else None
    except (OSError, ValueError):
        return None
