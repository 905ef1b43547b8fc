"""A CP's process as a station of a back end, beside a Central that looks on."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from typing import Any

from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.core import back_ends, ports, topics
from evcs.core import messages as m
from evcs.core.ocpp.station_record import from_record
from evcs.home import Home
from tests.ocpp.back_ends import BackEnd
from tests.system_under_test import eventually

CP = "CP-001"
RUN = """
import os, runpy, sys
os.chdir(os.environ["EVCS_HOME"])
sys.argv[1:] = ["engine", "CP-001"]
runpy.run_module("evcs", run_name="__main__")
"""
#: Fills the emulated car within ten seconds, or not at all.
FAST, SLOW = 600, 60


class Central:
    """What a Central does about a CP that it only looks at; `tickets`: the sessions that ended."""

    def __init__(self, account: Account) -> None:
        self.status: m.EngineStatus | None = None
        self.replies: dict[str, m.Reply] = {}
        self.tickets: dict[str, m.SessionEvent] = {}
        self.sessions: dict[str, str] = {}
        self.metered: list[m.Meter] = []
        self.is_away = False
        self._ids = itertools.count(1)
        kinds = (m.EngineStatus, m.Reply, m.SessionEvent, m.StationRequest, m.Meter)
        self.bus = BusThread(account, self._hear, [topics.filter_for(kind) for kind in kinds])

    def command(self, verb: str, **fields: Any) -> m.Reply:
        """The reply to a command."""
        id_ = f"cmd{next(self._ids)}"
        self.bus.publish(m.Command(CP, verb, id_, **fields))
        found: m.Reply = eventually(f"a reply to {verb}", lambda: self.replies.get(id_), 20)
        return found

    def is_reborn(self, before: m.EngineStatus | None) -> bool:
        """Whether its Engine is there, after another start than that."""
        now = self.status
        return now is not None and now.online and before is not None and now.boot != before.boot

    def _hear(self, event: Any) -> None:
        if not isinstance(event, ports.Received) or self.is_away:
            return
        said = event.message
        if isinstance(said, m.EngineStatus):
            self.status = said
        elif isinstance(said, m.Reply):
            self.replies[said.id] = said
        elif isinstance(said, m.Meter):
            self.metered.append(said)
        elif isinstance(said, m.StationRequest):
            session = self.sessions.setdefault(said.id, f"261130-{len(self.sessions):012x}")
            self.bus.publish(m.StationAnswer(CP, said.id, True, "accepted", None, session))
        elif isinstance(said, m.SessionEvent) and said.event == "ended":
            self.tickets.setdefault(said.session_id, said)
            self.bus.publish(m.Command(CP, "settled", f"s{next(self._ids)}", said.session_id))


class Site:
    """A home with a broker, its Central, and the CP's process."""

    def __init__(self, home: Home, central: Central, start: Callable[..., Any]) -> None:
        self.home, self.central, self._start = home, central, start
        self.process: subprocess.Popen[str] | None = None

    def begin(self, back_end: BackEnd, time_scale: int = SLOW, **env: str) -> None:
        """Start the CP, a station of that."""
        path = self.home.back_end(CP)
        path.parent.mkdir(parents=True, exist_ok=True)
        of = back_ends.BackEndOf(back_end.url, back_end.ocpp, "STATION.1", "TOKEN", 22_000)
        path.write_text(back_ends.render(of))
        self.process = self.start(EVCS_TIME_SCALE=str(time_scale), **env)

    def start(self, **env: str) -> subprocess.Popen[str]:
        """The process, with what is there."""
        found: subprocess.Popen[str] = self._start(RUN, EVCS_HOME=str(self.home.path), **env)
        return found

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def charges(self) -> None:
        """Wait for two more readings."""
        before = len(self.central.metered)
        eventually("it charges", lambda: len(self.central.metered) > before + 1)

    def is_back(self) -> None:
        """Wait until it has told its state after another start."""
        before = self.central.status
        eventually("it is back", lambda: self.central.is_reborn(before))

    def kill_at_each(self, back_end: BackEnd, step: str) -> None:
        """At some of the times that it gets to that step, each in a start of its own."""
        self.kill()
        for count in (1, 2, 3, 4, 6, 8, 10, 12):
            self.begin(back_end, EVCS_CRASH_AT=f"{step}:{count}")
            self.present_until_it_ends()
        self.begin(back_end)
        self.is_back()

    def charge_alone(self, back_end: BackEnd) -> None:
        """Three charges while their back end is away; it is killed in the second."""
        eventually("it is away", lambda: self.state() == "away")
        for number in range(3):
            assert self.central.command("present", tag="CARD").ok
            self.charges()
            if number == 1:
                self.kill()
                self.begin(back_end)
                self.is_back()
            assert self.central.command("present", tag="CARD").ok

    def present_until_it_ends(self) -> None:
        """A card is held to it again and again, until the process ends by itself."""
        numbers = itertools.count()

        def look() -> bool:
            self.central.bus.publish(m.Command(CP, "present", f"p{next(numbers)}", tag="CARD"))
            return self.process is not None and self.process.poll() is not None

        eventually("it has ended", look, every_s=0.3)

    def power_w(self) -> int:
        """What flowed last, 0 before."""
        return self.central.metered[-1].power_w if self.central.metered else 0

    def state(self) -> str | None:
        """What it has of its back end, as it told last."""
        return self.central.status and self.central.status.backend_state

    def held(self) -> Any:
        """What its journal says."""
        lines = self.home.journal(CP).read_text().splitlines()
        return from_record(json.loads(lines[-1]), "").station
