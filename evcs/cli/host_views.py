"""`evcs host list, show`: machines as they are, by the Registry and what Central says of them."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

import click

from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext, command, table
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import EvcsError, NotFound
from evcs.core.hosts import clock_words
from evcs.core.identities import of_host

HEARD_WITHIN_S = 2.0
HEAD = ("HOST", "ONLINE", "SINCE", "CPS", "VERSION", "ADDRESS", "CLOCK")
LIST = "list them with: evcs host list"
WORDS = {True: "yes", False: "no", None: "not known"}


def add_to(group: click.Group) -> None:
    """Add these commands to `evcs host`."""

    @command(group, "list")
    def list_(ctx: CommandContext) -> None:
        """List the hosts, the centre first.

        A clock that is more than 2 s off the centre's is shown.

        Examples:
          evcs host list
        """
        found = rows(ctx)
        lines = [
            (one["name"], _word(one), ctx.out.time(one["since"]), str(one["cps"]),
             one["version"] or "", one["address"] or "", clock_words(one["clock_off_s"]))
            for one in found
        ]  # fmt: skip
        ctx.out.data(found, table(HEAD, lines))

    @command(group, "show")
    @click.argument("name")
    def show(ctx: CommandContext, name: str) -> None:
        """Show a host and its CPs.

        Examples:
          evcs host show h2
        """
        one = next((one for one in rows(ctx) if one["name"] == name), None)
        if one is None:
            raise NotFound(f"no host {name[:40]!a}", LIST)
        mine = sorted(cp["id"] for cp in ctx.registry.cps() if cp["host"] == name)
        shown = {**one, "online": WORDS[one["online"]]}
        lines = [f"{key}: {value}" for key, value in shown.items() if value is not None]
        ctx.out.data({**one, "cp_ids": mine}, [*lines, f"its CPs: {', '.join(mine) or 'none'}"])


def _word(one: dict[str, Any]) -> str:
    if one["invited_until"] and not one["joined_at"]:
        return f"invited until {one['invited_until']}"
    return WORDS[one["online"]]


def rows(ctx: CommandContext) -> list[dict[str, Any]]:
    """All hosts: what the Registry knows, and what is said of them on the bus."""
    cps = Counter(cp["host"] for cp in ctx.registry.cps())
    centre = {"name": ctx.settings.host, "joined_at": None, "invited_until": None}
    hosts = [centre, *ctx.registry.hosts()]
    said = _said(ctx, {one["name"] for one in hosts if one is centre or one["joined_at"]})
    return [_row(one, cps[one["name"]], said) for one in hosts]


class _Said(NamedTuple):
    """By host what its CP Manager says on the bus, and what Central says of it."""

    managers: dict[str, m.ServiceStatus]
    states: dict[str, m.HostState]


def _row(host: dict[str, Any], cps: int, said: _Said | None) -> dict[str, Any]:
    """One host. Whether it is there its CP Manager tells; the rest is as Central saw it last."""
    name = host["name"]
    manager = said.managers.get(name) if said else None
    state = (said.states.get(name) if said else None) or m.HostState(name, False, "")
    online = None if said is None else manager is not None and manager.online
    return {
        "name": name,
        "online": online,
        "since": state.since if state.online == online and state.since else None,
        "version": (manager.version if manager else None) or state.version,
        "cps": cps,
        "address": state.address,
        "clock_off_s": state.clock_off_s,
        "joined_at": host["joined_at"],
        "invited_until": host["invited_until"],
    }


def _said(ctx: CommandContext, wanted: set[str]) -> _Said | None:
    """What is said of these; None where the bus is not to be had."""
    found = _Said({}, {})
    kinds = [topics.status_of("manager"), topics.filter_for(m.HostState)]
    with suppress(EvcsError), BusProbe(ctx.settings, kinds) as bus:
        deadline = time.monotonic() + HEARD_WITHIN_S
        # What CP Managers say comes first, as it is subscribed to; one that never was there says
        # nothing.
        while not wanted <= found.states.keys():
            message = bus.next(deadline)
            if message is None:
                break
            if isinstance(message, m.ServiceStatus):
                found.managers[message.service.removeprefix(of_host(""))] = message
            elif isinstance(message, m.HostState):
                found.states[message.host] = message
        return found
    return None
