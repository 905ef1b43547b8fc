"""Doctor's checks of the machine: programs, ports, limits, memory, disk, clock, user."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path

from evcs import __version__
from evcs.adapters import capacity
from evcs.adapters.processes import stat
from evcs.cli import bounds
from evcs.cli.bounds import FAIL, OK, WARN, Finding
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.tcp_ports import listener, listeners
from evcs.core import placement
from evcs.core.fleet_size import FleetSize

OLDEST_BROKER = (2, 0)


def programs(ctx: DoctorContext) -> Finding:
    """The programs we stand on, with their versions."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = {name: shutil.which(name, path=path) for name in ("mosquitto", "setpriv")}
    missing = [name for name, where in found.items() if where is None]
    if missing:
        return Finding("versions", FAIL, f"not installed: {', '.join(missing)}", "run install.sh")
    done = subprocess.run(
        [str(found["mosquitto"]), "-h"], capture_output=True, text=True, timeout=10, check=False
    )
    hit = re.search(r"version (\d+)\.(\d+)(\S*)", done.stdout + done.stderr)
    broker = hit[0].removeprefix("version ") if hit else "of unknown version"
    text = (
        f"evcs {__version__}, Python {platform.python_version()}, mosquitto {broker}, "
        f"supervisor {metadata.version('supervisor')}"
    )
    if hit is None or (int(hit[1]), int(hit[2])) < OLDEST_BROKER:
        return Finding("versions", FAIL, text, "mosquitto 2.0 or newer is needed: run install.sh")
    if ctx.older:
        text = f"{bounds.some(sorted(ctx.older))} still run another version than {__version__}"
        return Finding("versions", WARN, text, "evcs restart")
    return Finding("versions", OK, text)


def ports(ctx: DoctorContext) -> Finding:
    """Our ports: ours if we run, free if not."""
    wrong, missing = [], []
    for _, _, port in listeners(ctx.settings):
        pid, who = listener(port)
        if who is not None and not _is_ours(ctx, pid):
            wrong.append(f"{port} is held by {who}")
        elif who is None and ctx.pid is not None:
            missing.append(str(port))
    if wrong:
        remedy = "end what holds it, or choose another: EVCS_MQTT_PORT, _WEB_PORT, ..."
        return Finding("ports", FAIL, "; ".join(wrong), remedy)
    if missing:
        text = f"nobody listens on {', '.join(missing)}"
        return Finding("ports", FAIL, text, "see: evcs status; are EVCS_..._PORT as at its start?")
    return Finding("ports", OK, "ours" if ctx.pid else "free")


def _is_ours(ctx: DoctorContext, pid: int | None) -> bool:
    """Whether it is a child of supervisord, as the kernel has it: that one may be silent."""
    with contextlib.suppress(OSError):
        return None not in (pid, ctx.pid) and stat(pid or 0).parent == ctx.pid
    return False


def open_files(ctx: DoctorContext) -> Finding:
    """The running supervisord's limit, else what one may have."""
    if ctx.pid is not None:
        limit, _ = resource.prlimit(ctx.pid, resource.RLIMIT_NOFILE)
    else:
        _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    return bounds.open_files(limit, ctx.fleet.own, capacity.carried_by)


def processes(ctx: DoctorContext) -> Finding:
    """The user's limit and the control group's."""
    soft, _ = resource.prlimit(ctx.pid or os.getpid(), resource.RLIMIT_NPROC)
    most = capacity.number(Path("/sys/fs/cgroup/pids.max"))
    return bounds.processes([soft] if most is None else [soft, most], 2 * len(ctx.units))


def memory(ctx: DoctorContext) -> Finding:
    """What is free now, against the CPs that don't run yet."""
    up = {process.group for process in ctx.processes if process.pid}
    waiting = (cp.hosting for cp in ctx.cps.values() if placement.unit(cp) not in up)
    needed = 0 if ctx.silent else capacity.needed_bytes(FleetSize.of(waiting))
    return bounds.memory(capacity.free_bytes(), needed, ctx.pid is not None)


def disk(ctx: DoctorContext) -> Finding:
    """Room where the home lies."""
    found = os.statvfs(ctx.home.path)
    inodes = found.f_favail if found.f_files else None
    return bounds.disk(found.f_bavail * found.f_frsize, inodes)


def clock(ctx: DoctorContext) -> Finding:
    """The clock against the newest file that it stamped."""
    newest = 0.0
    for path in (ctx.home.registry_json, ctx.home.ledger_db, ctx.home.passwords):
        with contextlib.suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    return bounds.clock(time.time(), newest)


def owner(ctx: DoctorContext) -> Finding:
    """Who runs this, and whose home it is."""
    return bounds.owner(os.geteuid(), ctx.home.path.stat().st_uid)


def writable(ctx: DoctorContext) -> Finding:
    """Whether the home's folders can be written at all."""
    home = ctx.home
    folders = (home.path, home.path / "conf", home.sections, home.data, home.run, home.log)
    for folder in folders:
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            remedy = "run this as its owner, or choose another home: export EVCS_HOME=..."
            return Finding("home", FAIL, f"{folder} can't be written", remedy)
    return Finding("home", OK, "can be written")


CHECKS = (programs, owner, writable, ports, open_files, processes, memory, disk, clock)
OF_HOST = (owner, writable, open_files, processes, memory, disk, clock)
