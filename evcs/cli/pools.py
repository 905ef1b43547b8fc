"""`evcs pools`: the pools, whom they host, what they take."""

from __future__ import annotations

from typing import Any

import click

from evcs.cli.common import CommandContext, command, table
from evcs.cli.operator import ask_of_each
from evcs.core import pools
from evcs.core.errors import EvcsError


def add_to(program: click.Group) -> None:
    """Add the command to `evcs`."""

    @command(program, "pools")
    def show(ctx: CommandContext) -> None:
        """List pools of CPs: members, memory, lateness.

        Lateness is how late a pool's loop runs (p99).

        Examples:
          evcs pools
        """
        members: dict[tuple[str, int], list[str]] = {}
        for cp in ctx.registry.cps():
            if cp["pool"] is not None:
                members.setdefault((cp["host"], cp["pool"]), []).append(cp["id"])
        # Any of its members is answered for by the pool's processes.
        firsts = {place: min(cps) for place, cps in sorted(members.items())}
        answers = ask_of_each(ctx, "processes", list(firsts.values()))
        found = [
            _described(place, len(members[place]), answers[cp]) for place, cp in firsts.items()
        ]
        if not found and not ctx.out.json:
            ctx.out.say("no CP is in a pool; put one there: evcs-cp edit NAME --hosting pool")
            return
        rows = [
            (one["pool"], one["host"], str(one["members"]), *_figures(one["processes"]))
            for one in found
        ]
        head = ("POOL", "HOST", "MEMBERS", "ENGINES", "LATE P99", "MONITORS", "LATE P99")
        ctx.out.data(found, table(head, rows))


def _described(
    place: tuple[str, int], count: int, answer: dict[str, Any] | EvcsError
) -> dict[str, Any]:
    host, number = place
    seen = [] if isinstance(answer, EvcsError) else answer["processes"]
    return {
        "pool": pools.name(number),
        "host": host,
        "members": count,
        "memory_bytes": sum(one.get("memory_bytes") or 0 for one in seen),
        "late_p99_ms": max((one.get("late_p99_ms") or 0.0 for one in seen), default=None),
        "processes": seen,
    }


def _figures(processes: list[dict[str, Any]]) -> list[str]:
    """Of each role its memory, and how late its loop runs."""
    found = {one["name"]: one for one in processes}
    shown = []
    for role in pools.ROLES:
        one = found.get(role, {})
        if one.get("memory_bytes") is None:
            shown += [one.get("state", "not known"), ""]
        else:
            shown += [f"{one['memory_bytes'] / 2**20:.1f} MiB", f"{one['late_p99_ms']:.1f} ms"]
    return shown
