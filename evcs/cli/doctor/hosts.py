"""Machines that have joined: whether they are there, and of our version."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from evcs import __version__
from evcs.cli import versions
from evcs.cli.bounds import OK, WARN, Finding, some
from evcs.cli.doctor.context import DoctorContext
from evcs.core.hosts import joined_of
from evcs.core.identities import of_host
from evcs.core.topics import PREFIX


def hosts(ctx: DoctorContext) -> Finding:
    """What each CP Manager says of itself."""
    stored = ctx.stored[0]
    joined = sorted(joined_of(stored.hosts)) if stored else []
    if not joined:
        return Finding("hosts", OK, "none beside this one")
    if not ctx.retained:
        return Finding("hosts", OK, f"{len(joined)}, not known now")
    said = {name: _status(ctx, name) for name in joined}
    if away := [name for name, one in said.items() if not one.get("online")]:
        return Finding("hosts", WARN, f"away: {some(away)}", "there: evcs doctor")
    steps = {name: versions.upgrade(str(one.get("version")), "there") for name, one in said.items()}
    if other := [name for name, step in steps.items() if step]:
        text = f"of another version than {__version__}: {some(other)}"
        return Finding("hosts", WARN, text, steps[other[0]] or "")
    return Finding("hosts", OK, f"{len(joined)}, all online")


def _status(ctx: DoctorContext, host: str) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(ctx.retained.get(f"{PREFIX}{of_host(host)}/status", b"{}"))
        return found if isinstance(found, dict) else {}
    return {}


CHECKS = (hosts,)
