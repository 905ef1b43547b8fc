"""`evcs`: the whole system, started, stopped, looked at."""

from __future__ import annotations

import os
import sys
import time

import click

from evcs.adapters.supervisord import LOOK_TIMEOUT_S, Supervisord
from evcs.cli import (
    audit,
    backups,
    circuits,
    cp_changes,
    driver_accounts,
    entry,
    hosts,
    join,
    pools,
    sessions,
    settings,
    status,
    supervision,
    tls,
    trials,
    watch,
)
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext, command
from evcs.cli.doctor import command as doctor
from evcs.cli.logs import last_lines, show_logs
from evcs.cli.options import Seconds, known_cps
from evcs.cli.terminal import typed
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.charge_point import needs_a_hand
from evcs.core.errors import TimedOut, Unreachable

program = entry.group(
    "evcs",
    """A charging network that comes back: start, stop, see, demonstrate.

    CPs are created and changed by evcs-cp, drivers charge by evcs-driver.

    Examples:
      evcs up --wait
      evcs status
      evcs open
    """,
    also={"start": "up", "stop": "down"},
)


@command(program)
@click.option("--wait/--no-wait", default=False, help="Wait until every CP is as wanted.")
@click.option("--timeout", type=Seconds(1, 86_400), default=120.0, show_default=True)
@click.option("--foreground", is_flag=True, help="Stay, as supervisord itself (for systemd).")
def up(ctx: CommandContext, wait: bool, timeout: float, foreground: bool) -> None:
    """Start the system; one that runs is left as it is.

    Examples:
      evcs up --wait
    """
    supervision.require_programs(ctx.settings)
    fresh = supervision.start(ctx.settings, ctx.out.say, foreground, stage=ctx.out.stage)
    ctx.out.say("started" if fresh else "runs already")
    if wait:
        wait_until_up(ctx, timeout)
    found = {"home": str(ctx.settings.home.path), "started": fresh}
    if ctx.settings.is_joined:
        centre = {"host": ctx.settings.host, "centre": ctx.settings.centre}
        ctx.out.done({**found, **centre}, f"host {centre['host']} of {centre['centre']}")
    else:
        text = f"dashboard: {_web(ctx)}, read-only; as the operator: evcs open"
        ctx.out.done({**found, "web": _web(ctx)}, typed(text))


def wait_until_up(ctx: CommandContext, timeout_s: float) -> None:
    """Wait until every service answers and every CP is judged as the Registry wants it.

    On a host that has joined: until what supervisord knows of is up, for nothing else is here.
    """
    deadline = time.monotonic() + min(timeout_s, ctx.left_s)
    if ctx.settings.is_joined:
        _wait_for_running(ctx, deadline)
        return
    ctx.out.stage("waiting for the services")
    online: set[str] = set()
    expected = {"central", "registry", "web", f"manager/{ctx.settings.host}"}

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.ServiceStatus):
            (online.add if message.online else online.discard)(message.service)
        return expected <= online

    subscriptions = [topics.filter_for(m.ServiceStatus, service=name) for name in sorted(expected)]
    _wait_for_port(ctx, deadline)
    with BusProbe(ctx.settings, subscriptions) as probe:
        if not probe.wait(take, deadline - time.monotonic(), needs_central=False):
            missing = ", ".join(sorted(expected - online))
            raise TimedOut(f"not there after {timeout_s:g} s: {missing}", "see: evcs status")
    cps = ctx.registry.cps()
    here = [cp for cp in cps if cp["host"] == ctx.settings.host and not cp["revoked"]]
    wanted = {cp["id"]: cp_changes.judged(cp) for cp in here}
    if wanted:
        left = max(deadline - time.monotonic(), 1.0)
        seen, late = cp_changes.await_states(ctx, wanted, left)
        if late:
            raise next(iter(late.values()))
        for state in seen.values():
            if needs_a_hand(state.state, state.reason):
                ctx.out.say(f"{state.cp}: {state.reason}; mend it, then: evcs-cp clear {state.cp}")
    ctx.out.stage("waiting for supervisord to find every process steady")
    _wait_for_running(ctx, deadline)


def _wait_for_running(ctx: CommandContext, deadline: float) -> None:
    """supervisord calls a process RUNNING when it has stayed for a second."""
    while starting := [p for p in _supervisord(ctx).processes() if p.state != "RUNNING"]:
        if time.monotonic() > deadline:
            one = starting[0]
            raise TimedOut(f"{one.group}:{one.name} is {one.state}", f"see: evcs logs {one.group}")
        time.sleep(0.05)


def _wait_for_port(ctx: CommandContext, deadline: float) -> None:
    """Until the broker takes a connection: it is the first thing that is there."""
    while True:
        try:
            with BusProbe(ctx.settings, []):
                return
        except Unreachable:
            if time.monotonic() > deadline:
                raise


@command(program)
def down(ctx: CommandContext) -> None:
    """Stop everything, in order.

    Examples:
      evcs down
    """
    stopped = supervision.stop(ctx.settings, ctx.out.stage)
    ctx.out.say("stopped" if stopped else "was not running")
    ctx.out.data({"stopped": stopped})


@command(program)
@click.option("--wait/--no-wait", default=True, help="Wait until every CP is as wanted.")
@click.option("--timeout", type=Seconds(1, 86_400), default=120.0, show_default=True)
def restart(ctx: CommandContext, wait: bool, timeout: float) -> None:
    """Stop everything and start it again.

    Examples:
      evcs restart
      evcs restart --no-wait
    """
    supervision.require_own(ctx.settings.home)
    supervision.stop(ctx.settings, ctx.out.stage)
    supervision.start(ctx.settings, ctx.out.say, stage=ctx.out.stage)
    if wait:
        wait_until_up(ctx, timeout)
    ctx.out.say("restarted")
    web = {} if ctx.settings.is_joined else {"web": _web(ctx)}
    ctx.out.data({"home": str(ctx.settings.home.path), **web})


def _supervisord(ctx: CommandContext) -> Supervisord:
    return Supervisord(ctx.settings.home.supervisor_socket, LOOK_TIMEOUT_S)


@command(program)
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=known_cps)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@last_lines
def logs(
    ctx: CommandContext, names: tuple[str, ...], follow: bool, lines: int | None, since: str | None
) -> None:
    """Show logs of services and CPs.

    By default of all services.

    Examples:
      evcs logs central --since 10m
      evcs logs CP-001 CP-002 -f
    """
    show_logs(ctx, names or tuple(sorted(ctx.settings.services)), follow, lines, since)


@command(program, "open")
@click.option("--browser/--no-browser", default=True, help="Also open it in a browser.")
def open_page(ctx: CommandContext, browser: bool) -> None:
    """Print a link that signs you in on the page.

    It works once, for a minute; the session ends after half a day.

    Examples:
      evcs open
    """
    from evcs.cli import web_client

    link = web_client.login_link(ctx.settings)
    ctx.out.data({"url": link}, link)
    if browser and sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        web_client.lead_browser(ctx.settings.home, link)


@command(program, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ctl(ctx: CommandContext, arguments: tuple[str, ...]) -> None:
    """The real supervisorctl, pointed at this home.

    Examples:
      evcs ctl status
      evcs ctl tail central
    """
    conf = str(ctx.settings.home.supervisord_conf)
    python = sys.executable
    os.execv(python, [python, "-m", "supervisor.supervisorctl", "-c", conf, *arguments])


def _web(ctx: CommandContext) -> str:
    return f"{ctx.settings.page.url}/"


audit.add_to(program)
backups.add_to(program)
circuits.add_to(program)
doctor.add_to(program)
driver_accounts.add_to(program)
hosts.add_to(program)
join.add_to(program)
sessions.add_to(program)
status.add_to(program)
settings.add_to(program)
tls.add_to(program)
pools.add_to(program)
trials.add_to(program)
watch.add_to(program)


def main() -> None:
    """The program."""
    entry.main(program)


if __name__ == "__main__":
    main()
