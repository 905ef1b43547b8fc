"""`evcs host` at the centre: machines that CPs run on, invited, looked at, removed."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from evcs.adapters import certificates
from evcs.adapters.files import write_atomic
from evcs.cli import cp_changes
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext, command, table
from evcs.cli.operator import make_way
from evcs.cli.options import Seconds, waiting, when_free
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound
from evcs.core.hosts import MAX_TTL_S, TTL_S, check_name
from evcs.core.identities import of_host
from evcs.core.join_file import JoinFile, render
from evcs.core.setting_values import CHECKS

HEARD_WITHIN_S = 2.0
HEAD = ("HOST", "ONLINE", "CPS", "VERSION", "JOINED")
LIST = "list them with: evcs host list"


def add_to(program: click.Group) -> None:
    """Add `host` to `evcs`."""

    @program.group()
    def host() -> None:
        """Other machines that CPs run on."""

    _add_invitation(host)
    _add_drain(host)
    _add_removal(host)
    _add_looks(host)


def _add_invitation(host: click.Group) -> None:
    @command(host, "add")
    @click.argument("name")
    @click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path),
                  help="The file to write; else NAME.join.")  # fmt: skip
    @click.option("--ttl", type=Seconds(1, MAX_TTL_S), default=TTL_S, show_default=True,
                  help="For how many seconds it is good.")  # fmt: skip
    @click.option("--address", metavar="IP", help="Where that machine reaches this one.")
    def add(
        ctx: CommandContext, name: str, path: Path | None, ttl: float, address: str | None
    ) -> None:
        """Write a file with which another machine joins, once.

        For a machine that was installed anew, do the same again.

        Examples:
          evcs host add h2
          evcs host add h2 --file /media/stick/h2.join --ttl 600
        """
        path = path or Path(f"{check_name(name)}.join")
        if path.exists():
            raise Conflict(f"{path} exists already", "remove it, or choose another: --file")
        centre = _address(ctx.settings, address)
        made = ctx.registry.invite_host(name, int(ttl))
        ca = ctx.settings.home.ca.read_text(encoding="ascii")
        settings = ctx.settings
        found = JoinFile(
            name, centre, settings.mqtt_tls_port, settings.registry_port, made.pop("secret"),
            made["invited_until"], ca,
        )  # fmt: skip
        write_atomic(path.absolute(), render(found).encode(), 0o600)
        ctx.out.done({**made, "file": str(path), "address": centre}, f"{path} written")
        ctx.out.say(f"good once, until {made['invited_until']}; on {name}: evcs join {path.name}")


def _add_drain(host: click.Group) -> None:
    @command(host, "drain")
    @click.argument("name")
    @click.option("--to", metavar="HOST", required=True, help="Where its CPs go.")
    @when_free
    @waiting
    def drain(
        ctx: CommandContext, name: str, to: str, when_free: bool, wait: bool, timeout: float
    ) -> None:
        """Move all CPs of a host to another one.

        A charge under way is ended first, or waited for. Who has not moved by the timeout is
        named, and moves all the same.

        Examples:
          evcs host drain h2 --to h3
          evcs host drain h2 --to h3 --when-free --timeout 7200
        """
        hosts = {one["name"] for one in ctx.registry.hosts()} | {ctx.settings.host}
        for one in (name, to):
            if one not in hosts:
                raise NotFound(f"no host {one[:40]!a}", LIST)
        if name == to:
            raise BadValue(f"--to {to} is the host that is to be empty", "name another")
        mine = [cp["id"] for cp in ctx.registry.cps() if cp["host"] == name]
        moved = cp_changes.each(mine, lambda cp: ctx.registry.edit(cp, {"host": to}))
        made = list(moved.made.values())
        if not when_free:
            make_way(ctx, made)
        cp_changes.wait_and_finish(ctx, made, moved.errors, cp_changes.arrived, wait, timeout)
        if not mine:
            ctx.out.say(f"no CP is on {name}")


def _add_removal(host: click.Group) -> None:
    @command(host, "remove")
    @click.argument("name")
    @click.option("--lost", is_flag=True, help="The machine is gone for good; its CPs start anew.")
    @click.option("--to", metavar="HOST", help="Where they do; else here.")
    @click.option("--yes", is_flag=True, help="Don't ask.")
    def remove(ctx: CommandContext, name: str, lost: bool, to: str | None, yes: bool) -> None:
        """Remove a host that has no CP any more, or one that is lost.

        Of a lost one nothing is waited for: its CPs get new secrets and start elsewhere, what it
        has metered and not told is lost, and should it come back the broker refuses it.

        Examples:
          evcs host remove h2
          evcs host remove h2 --lost --to h3
        """
        if to is not None and not lost:
            raise BadValue("--to goes with --lost", "move CPs with: evcs-cp edit ... --host")
        if lost and not yes:
            text = f"Is {name} gone for good? If it runs on, cars charge there that nobody counts."
            click.confirm(text, abort=True)
        ctx.registry.remove_host(name, (to or ctx.settings.host) if lost else None)
        ctx.out.done({"name": name, "lost": lost}, f"{name} removed")


def _address(settings: Settings, given: str | None) -> str:
    """Where others reach this one. Raises BadValue where they can't."""
    if not (settings.mqtt_is_open and settings.http_is_open):
        raise BadValue(
            "other machines can't reach this one: broker and Registry listen on 127.0.0.1",
            "set listen in [mqtt] and [http] of conf/evcs.toml; evcs tls init; evcs restart",
        )
    found = CHECKS["centre"]("--address", given) if given else settings.address
    if found not in certificates.read_server(settings.home).names:
        raise BadValue(
            f"the certificate is not for {found}",
            f"evcs tls init --name {found}, or name another address: --address",
        )
    return str(found)


def _add_looks(host: click.Group) -> None:
    @command(host, "list")
    def list_(ctx: CommandContext) -> None:
        """List the hosts, the centre first.

        Examples:
          evcs host list
        """
        found = rows(ctx)
        lines = [
            (one["name"], _word(one), str(one["cps"]), one["version"] or "",
             ctx.out.time(one["joined_at"]))
            for one in found
        ]  # fmt: skip
        ctx.out.data(found, table(HEAD, lines))

    @command(host, "show")
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
        lines = [f"{key}: {value}" for key, value in one.items() if value is not None]
        ctx.out.data({**one, "cp_ids": mine}, [*lines, f"its CPs: {', '.join(mine) or 'none'}"])


def _word(one: dict[str, Any]) -> str:
    if one["invited_until"] and not one["joined_at"] and one["online"] is False:
        return f"invited until {one['invited_until']}"
    return {True: "yes", False: "no", None: "not known"}[one["online"]]


def rows(ctx: CommandContext) -> list[dict[str, Any]]:
    """All hosts: what the Registry knows, and what their CP Managers say on the bus."""
    cps = Counter(cp["host"] for cp in ctx.registry.cps())
    centre = {"name": ctx.settings.host, "joined_at": None, "invited_until": None}
    hosts = [centre, *ctx.registry.hosts()]
    said = _statuses(ctx, {of_host(one["name"]) for one in hosts})
    return [
        {
            "name": one["name"],
            "online": None if said is None else of_host(one["name"]) in said,
            "version": (said or {}).get(of_host(one["name"])),
            "cps": cps[one["name"]],
            "joined_at": one["joined_at"],
            "invited_until": one["invited_until"],
        }
        for one in hosts
    ]


def _statuses(ctx: CommandContext, wanted: set[str]) -> dict[str, str | None] | None:
    """Service -> version, of those that are online; None where the bus is not to be had."""
    found: dict[str, str | None] = {}
    heard: set[str] = set()
    with suppress(EvcsError), BusProbe(ctx.settings, [topics.status_of("manager")]) as bus:
        deadline = time.monotonic() + HEARD_WITHIN_S
        while not wanted <= heard and (message := bus.next(deadline)) is not None:
            if isinstance(message, m.ServiceStatus):
                heard.add(message.service)
                if message.online:
                    found[message.service] = message.version
        return found
    return None
