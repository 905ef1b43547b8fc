"""`evcs host` at the centre: machines that CPs run on, invited, looked at, removed."""

from __future__ import annotations

from pathlib import Path

import click

from evcs.adapters import broker_listeners, certificates
from evcs.adapters.broker_listeners import CPS_A_HOST
from evcs.adapters.files import write_atomic
from evcs.cli import cp_changes, host_views, names
from evcs.cli.common import CommandContext, command
from evcs.cli.host_views import LIST
from evcs.cli.operator import make_way
from evcs.cli.options import Seconds, confirm, waiting, when_free
from evcs.config import Settings
from evcs.core.errors import BadValue, Conflict, NotFound
from evcs.core.hosts import MAX_TTL_S, TTL_S, check_name
from evcs.core.join_file import JoinFile, render
from evcs.core.placement import holder
from evcs.core.setting_values import CHECKS


def add_to(program: click.Group) -> None:
    """Add `host` to `evcs`."""

    @program.group()
    def host() -> None:
        """Other machines that CPs run on."""

    _add_invitation(host)
    _add_drain(host)
    _add_removal(host)
    host_views.add_to(host)


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
        _say_room(ctx)


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
        named, and moves all the same; the same again, without --when-free, ends what is waited for.

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
        leaving = [ctx.registry.cp(cp) for cp in _leaving(ctx, name)]
        moved = cp_changes.each(mine, lambda cp: ctx.registry.edit(cp, {"host": to}))
        made = [*moved.made.values(), *leaving]
        if not when_free:
            make_way(ctx, made)
        cp_changes.wait_and_finish(ctx, made, moved.errors, cp_changes.arrived, wait, timeout)
        if not mine and not leaving:
            ctx.out.say(f"no CP is on {name}")


def _leaving(ctx: CommandContext, host: str) -> list[str]:
    """Who was told to leave a host before, and is there still."""
    stored = names.stored(ctx.settings.home)
    found = stored.cps.values() if stored else ()
    return [cp.id for cp in found if cp.host != host and holder(cp).host == host and not cp.deleted]


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
            counts = "if it runs on, cars charge there that nobody counts"
            confirm(
                f"Is {name} gone for good? ({counts})",
                f"{name} would be given up; {counts}", "nothing was removed",
            )  # fmt: skip
        ctx.registry.remove_host(name, (to or ctx.settings.host) if lost else None)
        ctx.out.done({"name": name, "lost": lost}, f"{name} removed")


def _say_room(ctx: CommandContext) -> None:
    """Say it where the broker that runs has not yet as many connections as all hosts may want."""
    most = broker_listeners.carried_elsewhere(ctx.settings)
    if most is not None and most < CPS_A_HOST * len(ctx.registry.hosts()):
        text = f"the broker takes connections for {most} CPs of other hosts"
        ctx.out.say(f"{text}; for more: evcs restart, after raising ulimit -n if it is low")


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
