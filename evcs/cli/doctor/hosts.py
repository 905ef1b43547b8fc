"""Machines that have joined: whether they are there, of our version, with what time and room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from evcs import __version__
from evcs.adapters import broker_listeners
from evcs.cli import versions
from evcs.cli.bounds import OK, WARN, Finding, some
from evcs.cli.doctor.context import DoctorContext
from evcs.core.hosts import clock_words, joined_of
from evcs.core.identities import of_host
from evcs.core.topics import PREFIX


def hosts(ctx: DoctorContext) -> Finding:
    """What each CP Manager says of itself, and Central of the machine's clock."""
    stored = ctx.stored[0]
    joined = sorted(joined_of(stored.hosts)) if stored else []
    if not joined:
        return Finding("hosts", OK, "none beside this one")
    if not ctx.retained:
        return Finding("hosts", OK, f"{len(joined)}, not known now")
    wrong = list(_wrong(ctx, joined))
    if not wrong:
        return Finding("hosts", OK, f"{len(joined)}, all online")
    return Finding("hosts", WARN, "; ".join(text for text, _ in wrong), wrong[0][1])


def _wrong(ctx: DoctorContext, joined: list[str]) -> Iterator[tuple[str, str]]:
    """What is not as it should be, with its remedy; the most pressing first."""
    said = {name: _kept(ctx, f"{of_host(name)}/status") for name in joined}
    if away := [name for name, one in said.items() if not one.get("online")]:
        yield f"away: {some(away)}", "there: evcs doctor"
    there = {name: one for name, one in said.items() if name not in away}
    steps = {name: versions.upgrade(str(o.get("version")), "there") for name, o in there.items()}
    if other := [name for name, step in steps.items() if step]:
        yield f"of another version than {__version__}: {some(other)}", steps[other[0]] or ""
    states = {name: _kept(ctx, f"central/host/{name}/state") for name in there}
    words = {name: clock_words(one.get("clock_off_s")) for name, one in states.items()}
    if off := [f"{name} {text}" for name, text in words.items() if text]:
        yield f"clocks off ours: {some(off)}", "have the clocks of both machines set (NTP)"
    most, stored = broker_listeners.carried_elsewhere(ctx.settings), ctx.stored[0]
    theirs = sum(cp.host != ctx.settings.host for cp in stored.cps.values()) if stored else 0
    if most is not None and most < theirs:
        text = f"the broker takes connections for {most} of their {theirs} CPs"
        yield text, "evcs restart, after raising ulimit -n if it is low"


def _kept(ctx: DoctorContext, topic: str) -> dict[str, Any]:
    """What the broker keeps on a topic of ours."""
    with suppress(ValueError):
        found = json.loads(ctx.retained.get(f"{PREFIX}{topic}", b"{}"))
        return found if isinstance(found, dict) else {}
    return {}


CHECKS = (hosts,)
