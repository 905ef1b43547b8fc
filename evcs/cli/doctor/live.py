"""Doctor's checks of what runs: supervisord, services, doubles, the bus, the fleet."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from evcs.adapters import processes
from evcs.adapters.files import hold_lock
from evcs.adapters.supervisord import supervisord_pid
from evcs.cli import bounds, cp_changes, supervision
from evcs.cli.bounds import FAIL, OK, WARN, Finding
from evcs.cli.bus_probe import BusProbe
from evcs.cli.check import differences
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.operator import ask_operator
from evcs.core import messages as m
from evcs.core import pools, topics
from evcs.core.errors import EvcsError, NotFound
from evcs.core.ids import RESERVED
from evcs.core.sections import ROLES

NOT_RUNNING = "the system doesn't run"
NOT_KNOWN = "not known while supervisord gives no answer"


def system(ctx: DoctorContext) -> Finding:
    """supervisord, and whether it answers."""
    if ctx.pid is None:
        return Finding("system", WARN, NOT_RUNNING, "evcs up")
    if ctx.silent is not None:
        return Finding("system", FAIL, ctx.silent.message, ctx.silent.hint)
    return Finding("system", OK, f"runs, supervisord is pid {ctx.pid}")


def services(ctx: DoctorContext) -> Finding:
    """The programs that stand beside the CPs."""
    if ctx.pid is None:
        return Finding("services", OK, NOT_RUNNING)
    if ctx.silent is not None:
        return Finding("services", WARN, NOT_KNOWN, ctx.silent.hint)
    up = {p.group for p in ctx.processes if p.state in ("RUNNING", "STARTING")}
    missing = sorted(ctx.settings.services - up)

    def fix() -> str:
        supervision.start(ctx.settings, lambda _: None)
        return f"started again: {', '.join(missing)}"

    if missing:
        text = f"not running: {', '.join(missing)}"
        return Finding("services", FAIL, text, f"evcs up; evcs logs {missing[0]}", fix)
    return Finding("services", OK, f"{len(ctx.settings.services)} run")


def doubles(ctx: DoctorContext) -> Finding:
    """Processes of this home that its supervisord doesn't know."""
    top = supervisord_pid(ctx.home)
    pids = processes.of_home(ctx.home.path)
    strays = {pid: who for pid in pids if (who := _stray(pid, top))}

    def fix() -> str:
        # A supervisord that is being started has no pid file yet.
        lock = hold_lock(ctx.home.lock("up"), "evcs up")
        try:
            ended = [f"{who} (pid {pid})" for pid in strays if (who := _end(pid, ctx))]
        finally:
            os.close(lock)
        return f"ended: {', '.join(ended)}"

    if strays:
        some = bounds.some(f"{who} (pid {pid})" for pid, who in strays.items())
        text = f"run without supervisord's knowledge: {some}"
        return Finding("orphans and doubles", FAIL, text, "evcs doctor --fix ends them", fix)
    return Finding("orphans and doubles", OK, "none")


def _stray(pid: int, top: int | None) -> str | None:
    """The role that a process of this home plays without being supervisord, or a child of it.

    By its parent rather than by supervisord's list, which is old as soon as it is read.
    """
    with contextlib.suppress(OSError):
        who, found = _role(processes.words(pid)), processes.stat(pid)
        if found.state != "Z" and top not in (pid, found.parent):
            return who
    return None


def _end(pid: int, ctx: DoctorContext) -> str | None:
    """Kill a process that is a stray still, by a handle: its pid may be another's by now."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            ours = pid in processes.of_home(ctx.home.path)
            who = _stray(pid, supervisord_pid(ctx.home)) if ours else None
            if who:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            return who
        finally:
            os.close(handle)
    return None


def _role(words: list[str]) -> str | None:
    if Path(words[0]).name == "mosquitto":
        return "mosquitto"
    tail = words[words.index("-m") + 1 :] if "-m" in words else []
    if tail[:1] != ["evcs"] or len(tail) < 2:
        return None
    if tail[1] == "supervisord":
        return tail[1]
    if tail[1] in (*ROLES, *pools.ROLES, pools.GATEWAY) and len(tail) == 3:
        return f"{tail[2]}:{tail[1]}"
    return tail[1] if tail[1] in RESERVED else None


def broker(ctx: DoctorContext) -> Finding:
    """A request to Central through the broker, and its answer back."""
    if ctx.pid is None:
        return Finding("bus", OK, NOT_RUNNING)
    started = time.monotonic()
    try:
        ask_operator(ctx.command, "ping")
    except EvcsError as error:
        return Finding("bus", FAIL, error.message, error.hint)
    took_ms = (time.monotonic() - started) * 1000
    return Finding("bus", OK, f"Central answered through the broker in {took_ms:.0f} ms")


def retained(ctx: DoctorContext) -> Finding:
    """What the broker keeps of CPs and drivers that the Registry doesn't know."""
    if ctx.pid is None:
        return Finding("retained messages", OK, NOT_RUNNING)
    nobodys = sorted(topic for topic in ctx.retained if _of_nobody(ctx, topic))

    def fix() -> str:
        left: list[EvcsError] = []
        for topic in nobodys:
            try:
                _clear(ctx, topic)
            except EvcsError as error:
                left.append(error)
        if left:
            raise left[0]
        return f"taken away: {bounds.some(nobodys)}"

    if nobodys:
        text = f"of nobody: {bounds.some(nobodys)}"
        remedy = "evcs doctor --fix takes them away"
        return Finding("retained messages", WARN, text, remedy, fix)
    return Finding("retained messages", OK, f"{len(ctx.retained)}, each of somebody")


def _of_nobody(ctx: DoctorContext, topic: str) -> bool:
    try:
        found = topics.decode(topic, b"")
    except topics.Unreadable:
        return True
    if topics.is_stray(topic):
        return True
    key = found.key if isinstance(found, m.Cleared) else {}
    try:
        if "driver" in key:
            driver, drivers = key["driver"], ctx.command.registry.drivers
            return driver not in ctx.drivers and driver not in {one["id"] for one in drivers()}
        return "cp" in key and key["cp"] not in ctx.cps and not ctx.command.registry.cp(key["cp"])
    except NotFound:
        return True
    except EvcsError:
        return False


def _clear(ctx: DoctorContext, topic: str) -> None:
    """Take a message away in the name of the identity whose branch it is in."""
    who, what = topics.sender(topic)
    if who[0] == "cp" and what == ["status"]:
        who = ["registry"]  # which may do so where a CP's own identity is gone
    with BusProbe(ctx.settings, [], "/".join(who)) as probe:
        probe.deliver(topics.clear_stray(topic))


def agreement(ctx: DoctorContext) -> Finding:
    """Registry = sections = identities = processes = what Central judges."""
    if ctx.pid is None:
        return Finding("fleet", OK, NOT_RUNNING)
    if ctx.silent is not None:
        return Finding("fleet", WARN, NOT_KNOWN, ctx.silent.hint)
    try:
        cps = cp_changes.read(ctx.command)
    except EvcsError as error:
        return Finding("fleet", FAIL, error.message, error.hint)
    found = differences(ctx.home, cps, ctx.processes, ctx.settings.host)
    if found:
        some = bounds.some(f"{one['id']}: {one['difference']}" for one in found)
        return Finding("fleet", FAIL, some, f"{found[0]['remedy']}; all: evcs status --check")
    return Finding("fleet", OK, f"{len(cps)} CPs as the Registry wants them")


CHECKS = (system, services, doubles, broker, retained, agreement)
OF_HOST = (system, services, doubles)
