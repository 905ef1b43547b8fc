"""The floors of a fleet: bare paho processes under a bare supervisord, with the same broker.

Home, broker, accounts, limits, sections and logs are ours; supervisord runs no service but
the broker, and in place of each Engine and Monitor a process of `floor_process.py`, or in place
of all of them one of `floor_fork.py`, with a child for each, or `floor_clients.py`, a client for
each.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.ours import WITHIN_S, end, quiet
from evcs.adapters import broker_accounts
from evcs.adapters.files import write_atomic
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.supervisord import Supervisord
from evcs.cli import prepare
from evcs.cli.bus_probe import BusProbe, wait_for_broker
from evcs.cli.temporary_system import temporary_system
from evcs.config import Settings
from evcs.core import identities, sections, topics
from evcs.core import messages as m
from evcs.core.errors import Unreachable
from evcs.core.fleet_size import FleetSize

PROCESS = Path(__file__).with_name("floor_process.py")
#: Programs that stand for all identities at once.
FORKS = Path(__file__).with_name("floor_fork.py")
CLIENTS = Path(__file__).with_name("floor_clients.py")
STATUSES = topics.filter_for(m.EngineStatus).filter.replace("engine", "+")


class Floor:
    """`pairs` pairs of bare processes, not started yet."""

    def __init__(
        self, settings: Settings, pairs: int, autostart: bool, parent: Path | None
    ) -> None:
        self.settings, self.cps = settings, [f"CP-{n:03d}" for n in range(1, pairs + 1)]
        home = settings.home
        self._fds = prepare.prepare(
            settings, quiet, FleetSize(pooled=pairs) if parent == CLIENTS else FleetSize(pairs)
        )
        names = [f"cp/{cp}/{role}" for cp in self.cps for role in sections.ROLES]
        accounts = (*identities.SERVICES, *names)
        broker_accounts.write(home, {who: SecretFiles(home).ensure(who) for who in accounts})
        head, *programs = home.supervisord_conf.read_text().split("\n[program:")
        broker = next(text for text in programs if text.startswith("mosquitto]"))
        write_atomic(home.supervisord_conf, f"{head}\n[program:{broker}\n".encode())
        if parent is not None:
            (home.sections / "parent.conf").write_text(_section(parent, names))
            return
        for cp in self.cps:
            text = sections.render(cp)
            for role in sections.ROLES:
                text = text.replace(f"-m evcs {role} {cp}", f'"{PROCESS}" cp/{cp}/{role}')
            if not autostart:
                text = text.replace("autorestart=", "autostart=false\nautorestart=")
            (home.sections / f"{cp}.conf").write_text(text)

    def start(self) -> None:
        """Start supervisord, which starts the rest."""
        home = self.settings.home
        subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(home.supervisord_conf),
             "-a", str(self._fds)],
            cwd=home.path, env=prepare.environment(self.settings), check=True,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip

    def wait(self) -> None:
        """Until every process has published its retained message."""
        missing = 2 * len(self.cps)
        seen: set[str] = set()
        deadline = time.monotonic() + WITHIN_S
        wait_for_broker(self.settings.home, WITHIN_S)
        while len(seen) < missing:
            if time.monotonic() > deadline:
                raise AssertionError(f"floor: {len(seen)} of {missing} messages")
            with suppress(Unreachable), self.probe() as probe:
                while len(seen) < missing and (topic := probe.next(deadline)):
                    seen.add(str(topic))

    def probe(self) -> BusProbe:
        """Yields the topic of each status message."""
        wanted = [topics.Subscription(STATUSES)]
        return BusProbe(self.settings, wanted, decode=lambda topic, _: topic)

    def started_s(self) -> float:
        """Start all; seconds until every message is there."""
        began = time.monotonic()
        self.start()
        self.wait()
        return time.monotonic() - began

    def start_pair(self, cp: str, probe: BusProbe) -> float:
        """Start one pair; seconds until its two messages are there."""
        wanted = {f"evcs/v1/cp/{cp}/{role}/status" for role in sections.ROLES}
        began = time.monotonic()
        Supervisord(self.settings.home.supervisor_socket).start([cp])
        while wanted:
            found = probe.next(began + WITHIN_S)
            assert found is not None, f"floor: no word of {wanted}"
            wanted.discard(str(found))
        return time.monotonic() - began

    def end(self) -> None:
        """Kill all of it."""
        end(self.settings)


def _section(parent: Path, identities: list[str]) -> str:
    """The section of one program for all, whose children end with it."""
    name, words = parent.stem, " ".join(identities) if parent == FORKS else ""
    return (
        f'[program:{name}]\ncommand=setpriv --pdeathsig KILL "%(ENV_EVCS_PYTHON)s" "{parent}" '
        f"{words}\ndirectory=%(ENV_EVCS_HOME)s\n"
        f"stdout_logfile=%(ENV_EVCS_HOME)s/log/{name}.log\nredirect_stderr=true\n"
    )


@contextmanager
def floor(pairs: int, autostart: bool = True, parent: Path | None = None) -> Iterator[Floor]:
    """A floor in a home of its own; whatever runs there at the end is killed."""
    with temporary_system(1.0) as settings:
        made = Floor(settings, pairs, autostart, parent)
        try:
            yield made
        finally:
            made.end()
