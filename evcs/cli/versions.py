"""Which version runs, as after an upgrade it is not yet the one that is installed everywhere."""

from __future__ import annotations

import re
import time
from contextlib import suppress

from evcs import __version__
from evcs.adapters.supervisord import Supervisord
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import EvcsError
from evcs.core.ids import RESERVED

WITHIN_S = 1.0
#: supervisord, and the services that speak on the bus.
PROGRAMS = len(RESERVED - {"mosquitto"}) + 1


def upgrade(theirs: str, where: str) -> str | None:
    """The next step where another machine runs another version; None where it is ours."""
    if theirs == __version__:
        return None
    place = where if _numbers(theirs) < _numbers(__version__) else "here"
    return f"upgrade evcs {place}, then: evcs restart"


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]+", version)]


def running(settings: Settings) -> dict[str, str]:
    """Program -> version, of those that can be asked now; a CP's is that of supervisord."""
    found: dict[str, str] = {}
    with suppress(EvcsError):
        version = Supervisord(settings.home.supervisor_socket).version()
        found |= {"supervisord": version} if version else {}
        if settings.is_joined:
            return found  # whom it hears there is its centre's to ask
        wanted = [
            topics.filter_for(m.ServiceStatus),
            *map(topics.status_of, ("manager", "gateway")),
        ]
        with BusProbe(settings, wanted) as probe:
            deadline = time.monotonic() + WITHIN_S
            while len(found) < PROGRAMS and (event := probe.receive(deadline)) is not None:
                message = event.message
                if isinstance(message, m.ServiceStatus) and message.online and message.version:
                    found[message.service] = message.version
    return found


def older(settings: Settings) -> dict[str, str]:
    """The same, of those that run another version than the one installed."""
    return {name: one for name, one in running(settings).items() if one != __version__}


def warn(ctx: CommandContext) -> None:
    """Say what still runs another version, and what ends that; the CPs' forks run supervisord's."""
    found = older(ctx.settings)
    if found:
        others = ", ".join(f"{name} {version}" for name, version in sorted(found.items()))
        ctx.out.say(f"another version than {__version__} still runs: {others}; run: evcs restart")
        if "supervisord" in found:
            ctx.out.say("every CP's process is a fork of supervisord and runs its version")
