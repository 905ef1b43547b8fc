"""Doctor's look at the broker: how much of its room is taken."""

from __future__ import annotations

from evcs.adapters import broker_connections, broker_listeners
from evcs.cli import bounds
from evcs.cli.bounds import FAIL, OK, WARN, Finding
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.doctor.live import NOT_RUNNING

CHECK = "broker's room"


def room(ctx: DoctorContext) -> Finding:
    """Connections on each TCP port, and files that it has open, against what it may have."""
    pid = broker_listeners.broker_pid(ctx.home)
    if pid is None:
        return Finding(CHECK, OK, NOT_RUNNING)
    try:
        taken = {"open files": broker_connections.files(pid)}
        most = broker_listeners.bounds(ctx.home)
    except OSError as error:
        return Finding(CHECK, FAIL, f"can't be seen: {error}", "run evcs as the home's owner")
    there = broker_connections.count()
    found = bounds.room(
        {**{f"port {port}": (there[port], limit) for port, limit in most.items()}, **taken}
    )
    if found.level == OK and not broker_connections.able(pid):
        text = f"{found.text}; what is beyond can't be ended by us"
        return Finding(CHECK, WARN, text, "allow it: sysctl kernel.yama.ptrace_scope=0")
    return found


CHECKS = (room,)
