"""`evcs`: the whole system, started, stopped, looked at."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import Any

import click

from evcs.adapters.ledger import LedgerReader
from evcs.adapters.supervisord import Process, Supervisord
from evcs.cli import (
    audit,
    backups,
    fleet,
    sessions,
    settings,
    supervision,
    tls,
    trials,
    versions,
    watch,
)
from evcs.cli.check import differences
from evcs.cli.common import Call, command, group, table
from evcs.cli.common import main as run_program
from evcs.cli.doctor import command as doctor
from evcs.cli.logs import last_lines, show_logs
from evcs.cli.observer import Observer
from evcs.cli.operator import ask_operator
from evcs.cli.options import Seconds
from evcs.cli.terminal import style
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.charge_point import needs_a_hand
from evcs.core.errors import Conflict, EvcsError, NotFound, TimedOut, Unreachable
from evcs.core.ids import RESERVED, check_id

SETTLED_WITHIN_S = 5.0

program = group("evcs", "A charging network that comes back: start, stop, see, demonstrate.")


@command(program)
@click.option("--wait/--no-wait", default=False, help="Return once every CP is as wanted.")
@click.option("--timeout", type=Seconds(1, 86_400), default=120.0, show_default=True)
@click.option("--foreground", is_flag=True, help="Stay, as supervisord itself (for systemd).")
def up(call: Call, wait: bool, timeout: float, foreground: bool) -> None:
    """Start the system; one that runs already is left as it is."""
    supervision.require_programs()
    fresh = supervision.start(call.settings, call.out.say, foreground, stage=call.out.stage)
    call.out.say("started" if fresh else "runs already")
    if wait:
        wait_until_up(call, timeout)
    found = {"home": str(call.settings.home.path), "started": fresh, "web": _web(call)}
    call.out.data(found, f"dashboard: {_web(call)}")


def wait_until_up(call: Call, timeout_s: float) -> None:
    """Wait until every service answers and every CP is judged as the Registry wants it."""
    deadline = time.monotonic() + min(timeout_s, call.left_s)
    call.out.stage("waiting for the services")
    online: set[str] = set()
    expected = {"central", "registry", "web", f"manager/{call.settings.host}"}

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.ServiceStatus):
            (online.add if message.online else online.discard)(message.service)
        return expected <= online

    subscriptions = [topics.of_kind(m.ServiceStatus, service=name) for name in sorted(expected)]
    _wait_for_port(call, deadline)
    with Observer(call.settings, subscriptions) as observer:
        if not observer.wait(take, deadline - time.monotonic(), needs_central=False):
            missing = ", ".join(sorted(expected - online))
            raise TimedOut(f"not there after {timeout_s:g} s: {missing}", "see: evcs status")
    cps = call.registry.cps()
    here = [cp for cp in cps if cp["host"] == call.settings.host and not cp["revoked"]]
    wanted = {cp["id"]: fleet.settled(cp) for cp in here}
    if wanted:
        left = max(deadline - time.monotonic(), 1.0)
        seen, late = fleet.await_states(call, wanted, left)
        if late:
            raise next(iter(late.values()))
        for state in seen.values():
            if needs_a_hand(state.state, state.reason):
                call.out.say(f"{state.cp}: {state.reason}; mend it, then: evcs-cp clear {state.cp}")
    call.out.stage("waiting for supervisord to find every process steady")
    _wait_for_running(call, deadline)


def _wait_for_running(call: Call, deadline: float) -> None:
    """supervisord calls a process RUNNING when it has stayed for a second."""
    while starting := [p for p in _processes(call) if p.state != "RUNNING"]:
        if time.monotonic() > deadline:
            one = starting[0]
            raise TimedOut(f"{one.group}:{one.name} is {one.state}", f"see: evcs logs {one.group}")
        time.sleep(0.05)


def _wait_for_port(call: Call, deadline: float) -> None:
    """Until the broker takes a connection: it is the first thing that is there."""
    while True:
        try:
            with Observer(call.settings, []):
                return
        except Unreachable:
            if time.monotonic() > deadline:
                raise


@command(program)
def down(call: Call) -> None:
    """Stop everything, in order."""
    stopped = supervision.stop(call.settings, call.out.stage)
    call.out.say("stopped" if stopped else "was not running")
    call.out.data({"stopped": stopped})


@command(program)
@click.option("--wait/--no-wait", default=True, help="Return once every CP is as wanted.")
@click.option("--timeout", type=Seconds(1, 86_400), default=120.0, show_default=True)
def restart(call: Call, wait: bool, timeout: float) -> None:
    """Stop everything and start it again."""
    supervision.require_own(call.settings.home)
    supervision.stop(call.settings, call.out.stage)
    supervision.start(call.settings, call.out.say, stage=call.out.stage)
    if wait:
        wait_until_up(call, timeout)
    call.out.say("restarted")
    call.out.data({"home": str(call.settings.home.path), "web": _web(call)})


@command(program)
@click.option("--check", is_flag=True, help="Exit 3 where actual is not desired.")
def status(call: Call, check: bool) -> None:
    """Services and CPs, with their states and processes."""
    processes = (_settled_processes if check else _processes)(call)
    try:
        cps = fleet.read(call)
    except EvcsError:
        # What runs and what doesn't is what one wants to know just then.
        if not call.out.json:
            _print_status(call, processes, [])
        raise
    if check:
        _check(call, cps, processes)
        return
    _print_status(call, processes, cps)
    versions.warn(call)
    if not cps:
        call.out.say("no CP yet; create one: evcs-cp create CP-001")


def _processes(call: Call) -> list[Process]:
    return Supervisord(call.settings.home.supervisor_socket).processes()


def _settled_processes(call: Call) -> list[Process]:
    """What supervisord knows of each process: after its first second, STARTING until then."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while True:
        processes = _processes(call)
        settled = all(process.state != "STARTING" for process in processes)
        if settled or time.monotonic() > deadline:
            return processes
        time.sleep(0.05)


def _print_status(call: Call, processes: list[Process], cps: list[dict[str, Any]]) -> None:
    services = [p._asdict() for p in processes if p.group in RESERVED]
    rows = [(p["name"], _process_word(p["state"]), str(p["pid"] or "")) for p in services]
    lines = table(("SERVICE", "PROCESS", "PID"), rows)
    if cps:
        pids = {cp["id"]: [p for p in processes if p.group == cp["id"]] for cp in cps}
        cp_rows = [
            (
                cp["id"],
                call.out.state(cp["state"]),
                cp["reason"] or "",
                " ".join(f"{p.name}:{p.pid or p.state}" for p in pids[cp["id"]]),
            )
            for cp in cps
        ]
        lines += ["", *table(("CP", "STATE", "REASON", "PROCESSES"), cp_rows)]
    found = {"home": str(call.settings.home.path), "services": services, "cps": cps}
    call.out.data(found, lines)


def _check(call: Call, cps: list[dict[str, Any]], processes: list[Process]) -> None:
    found = differences(call.settings.home, cps, processes, call.settings.host)
    rows = [(one["id"], one["difference"], one["remedy"]) for one in found]
    call.out.data(found, table(("WHO", "DIFFERENCE", "NEXT STEP"), rows) if rows else None)
    if found:
        raise SystemExit(3)
    call.out.say(f"all as desired: {len(cps)} CPs")


def _process_word(state: str) -> str:
    return style(state, fg="green" if state == "RUNNING" else "red")


@command(program)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@last_lines
def logs(
    call: Call, names: tuple[str, ...], follow: bool, lines: int | None, since: str | None
) -> None:
    """Show logs of programs: central, CP-001 (both its processes); the services' by default."""
    show_logs(call, names or tuple(sorted(RESERVED)), follow, lines, since)


@command(program, "open")
@click.option("--browser/--no-browser", default=True, help="Also open it in a browser.")
def open_page(call: Call, browser: bool) -> None:
    """Print a link that signs you in as the operator on the page; it works once, for a minute."""
    from evcs.cli import web_client

    link = web_client.login_link(call.settings)
    call.out.data({"url": link}, link)
    if browser and sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        web_client.lead_browser(call.settings.home, link)


@program.group()
def driver() -> None:
    """Drivers: who may charge."""


@command(driver, "add")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def driver_add(call: Call, names: tuple[str, ...]) -> None:
    """Add drivers, each with a secret of its own."""
    checked = [check_id("driver", name) for name in names]
    fleet.tell_done(call, fleet.each(checked, call.registry.add_driver), "added")


@command(driver, "remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--forget", is_flag=True, help="Also put a pseudonym in the place of their names.")
def driver_remove(call: Call, names: tuple[str, ...], forget: bool) -> None:
    """Remove drivers with their secrets; their tickets stay, with --forget without the name."""
    checked = [check_id("driver", name) for name in names]
    do = partial(_forget, call) if forget else call.registry.remove_driver
    fleet.tell_done(call, fleet.each(checked, do), "removed and forgotten" if forget else "removed")


def _forget(call: Call, name: str) -> None:
    """Remove a driver, where that wasn't done before, and have Central forget the name."""
    reader = LedgerReader(call.settings.home.ledger_db)
    if any(
        reader.sessions(driver=name, state=state, limit=1) for state in ("active", "interrupted")
    ):
        raise Conflict(
            f"driver {name} has a session that is not settled", f"evcs-driver stop --driver {name}"
        )
    missing = None
    try:
        call.registry.remove_driver(name)
    except NotFound as error:
        missing = error
    try:
        ask_operator(call, "forget", driver=name)
    except NotFound:
        if missing is not None:
            raise missing from None


@command(driver, "list")
def driver_list(call: Call) -> None:
    """List drivers."""
    found = call.registry.drivers()
    call.out.data(found, [one["id"] for one in found])
    if not found:
        call.out.say("no driver yet; add one: evcs driver add ALICE")


@command(program, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ctl(call: Call, arguments: tuple[str, ...]) -> None:
    """The real supervisorctl, pointed at this home."""
    conf = str(call.settings.home.supervisord_conf)
    python = sys.executable
    os.execv(python, [python, "-m", "supervisor.supervisorctl", "-c", conf, *arguments])


def _web(call: Call) -> str:
    return f"{call.settings.page.url}/"


audit.add_to(program)
backups.add_to(program)
doctor.add_to(program)
sessions.add_to(program)
settings.add_to(program)
tls.add_to(program)
trials.add_to(program)
watch.add_to(program)


def main() -> None:
    """The program."""
    run_program(program)


if __name__ == "__main__":
    main()
