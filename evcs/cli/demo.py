"""`evcs demo`: a fleet that charges, loses its power, and comes back, by the real commands."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evcs.adapters.files import make_folder, write_atomic
from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import cp_changes, prepare, supervision, tcp_ports
from evcs.cli.common import CommandContext
from evcs.config import INSTALL_ROOT, Settings
from evcs.core.errors import EvcsError, TimedOut
from evcs.home import Home, check_home

FLEET = "CP-{001..003}"
DRIVERS = ("ALICE", "BOB")
TIME_SCALE = 60.0
WITHIN_S = 90.0


def run(ctx: CommandContext) -> None:
    """Show it, and leave the system running."""
    settings = _settings(ctx)
    demo = _Demo(CommandContext(settings, ctx.out))
    demo.start()
    demo.charge()
    demo.cut_power()
    demo.come_back()
    demo.farewell(settings.home != ctx.settings.home)


def _settings(ctx: CommandContext) -> Settings:
    """The default home if it is empty, else a new one; free ports where the usual are taken."""
    settings = ctx.settings
    used = settings.home.registry_json.exists() or supervision.running(settings) is not None
    if used:
        ports_alone = settings.mqtt_port, settings.web_port, settings.registry_port
        settings = Settings(Home(_new_home()), *ports_alone)
    supervision.require_own(settings.home)
    settings = settings._replace(time_scale=TIME_SCALE)
    wanted = {
        name: tcp_ports.free_or_other(getattr(settings, name))
        for name in ("mqtt_port", "web_port", "registry_port")
    }
    # Of a new home the next shell knows no more than where it is.
    known = Settings(settings.home) if used else settings
    moved = {name: port for name, port in wanted.items() if port != getattr(known, name)}
    conf = settings.home.path / "conf" / "evcs.toml"
    if moved and not conf.exists():
        make_folder(settings.home.path)
        make_folder(conf.parent)
        lines = "".join(f"{name} = {port}\n" for name, port in sorted(moved.items()))
        write_atomic(conf, f"# Chosen by `evcs demo`.\n{lines}".encode())
        ctx.out.say(f"its ports are not the usual ones; they are in {conf}")
    return settings._replace(
        mqtt_port=wanted["mqtt_port"],
        web_port=wanted["web_port"],
        registry_port=wanted["registry_port"],
    )


def _new_home() -> Path:
    number = 1
    while (path := Path.home() / f"evcs-demo-{number}").exists():
        number += 1
    return check_home(path)


class _Demo:
    def __init__(self, ctx: CommandContext) -> None:
        self._ctx = ctx
        self._home = ctx.settings.home
        self._before: dict[str, Any] = {}
        self._began = 0.0

    def start(self) -> None:
        self._say(f"A system in {self._home.path}, empty at first.")
        self._command("evcs", "up", "--wait")
        self._say("Three charging points, made at run time like any other.")
        self._command("evcs-cp", "create", FLEET, "--location", "Demo Street")
        self._command("evcs", "driver", "add", *DRIVERS)

    def charge(self) -> None:
        cps = [cp["id"] for cp in self._ctx.registry.cps()]
        self._say(f"{DRIVERS[0]} charges to the end, {DRIVERS[1]} for longer than we let it.")
        longer = ("evcs-driver", "charge", cps[1], "--driver", DRIVERS[1], "--kwh", "8")
        self._command(*longer, "--no-watch")
        self._command("evcs-driver", "charge", cps[0], "--driver", DRIVERS[0], "--kwh", "1.5")

    def cut_power(self) -> None:
        self._before = {cp["id"]: self._identity(cp) for cp in cp_changes.read(self._ctx)}
        killed = supervision.kill_everything(self._ctx.settings)
        self._say(f"Power cut: {killed} processes killed at once (SIGKILL), nothing is left.")

    def come_back(self) -> None:
        self._began = time.monotonic()
        self._command("evcs", "up", "--wait")
        took = time.monotonic() - self._began
        after = {cp["id"]: self._identity(cp) for cp in cp_changes.read(self._ctx)}
        same = [cp for cp in after if after[cp] == self._before.get(cp)]
        self._command("evcs-cp", "list")
        self._say(
            f"{len(same)} of {len(self._before)} came back by themselves in {took:.1f} s, "
            "with the same price, location and secret."
        )
        if len(same) < len(self._before):
            raise EvcsError("not every CP came back", "see: evcs status")
        self._say(f"{DRIVERS[1]}'s charge goes on where it was; waiting for its ticket.")
        self._wait("the ticket", self._all_settled)
        self._command("evcs", "sessions")

    def farewell(self, moved: bool) -> None:
        self._say("The system is left running. Look at it:")
        if moved:
            self._plain(f"  export EVCS_HOME={shlex.quote(str(self._home.path))}")
        page = f"{self._ctx.settings.page.url}/"
        self._plain(f"  dashboard        {page}")
        self._plain("  sign in          bin/evcs open")
        self._plain("  processes        bin/supervisorctl status")
        self._plain("  another CP       bin/evcs-cp create CP-004")
        self._plain("  stop it all      bin/evcs down")
        self._ctx.out.data(
            {"home": str(self._home.path), "web": page,
             "came_back": len(self._before), "of": len(self._before)}
        )  # fmt: skip

    def _identity(self, cp: dict[str, Any]) -> tuple[Any, ...]:
        secret = self._home.secret(f"cp/{cp['id']}/engine").read_text()
        return cp["price_eur_kwh"], cp["location"], cp["max_power_w"], secret

    def _all_settled(self) -> bool:
        found = LedgerReader(self._home.ledger_db).sessions()
        return len(found) == len(DRIVERS) and all(one["state"] == "settled" for one in found)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not done():
            if time.monotonic() > deadline:
                raise TimedOut(f"no sign of {what}", "see: evcs status")
            time.sleep(0.2)

    def _command(self, program: str, *args: str) -> None:
        """Show a command and run it, as a user would."""
        quiet = self._ctx.out.json or self._ctx.out.quiet
        self._plain("$ bin/" + shlex.join([program, *args]))
        done = subprocess.run(
            [str(INSTALL_ROOT / "bin" / program), *args, *["--quiet"][:quiet]],
            env={**os.environ, **prepare.environment(self._ctx.settings)},
            stdout=subprocess.DEVNULL if quiet else None,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise EvcsError(f"{program} ended with {done.returncode}", "see above")

    def _say(self, text: str) -> None:
        self._plain("")
        self._plain(text)

    def _plain(self, text: str) -> None:
        if not self._ctx.out.json and not self._ctx.out.quiet:
            print(text, flush=True)
