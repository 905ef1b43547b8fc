"""A CP's process as a station of a back end: whole charges with back ends by others, and one that
fails on purpose; kill -9 of the process in a charge."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.core import back_ends, ports, topics
from evcs.core import messages as m
from evcs.core.ocpp.station_record import from_record
from evcs.home import Home
from tests.adapters.broker import Broker
from tests.ocpp.back_ends import BackEnd, FailingBackEnd, OcppBackEnd, RpcBackEnd
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
        of = back_ends.BackEndOf(back_end.url, "1.6", "STATION.1", "TOKEN", 22_000)
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
        assert before is not None
        eventually(
            "it is back",
            lambda: self.central.status and self.central.status.online
            and self.central.status.boot != before.boot,
        )  # fmt: skip

    def present_until_it_ends(self) -> None:
        """A card is held to it again and again, until the process ends by itself."""
        numbers = itertools.count()

        def look() -> bool:
            self.central.bus.publish(m.Command(CP, "present", f"p{next(numbers)}", tag="CARD"))
            return self.process is not None and self.process.poll() is not None

        eventually("it has ended", look, every_s=0.3)

    def held(self) -> Any:
        """What its journal says."""
        lines = self.home.journal(CP).read_text().splitlines()
        return from_record(json.loads(lines[-1]), "").station


@pytest.fixture
def site(home: Home, broker: Broker, child: Callable[..., subprocess.Popen[str]]) -> Iterator[Site]:
    secret = home.secret(f"cp/{CP}/engine")
    secret.parent.mkdir(parents=True)
    secret.write_text("a")
    broker.accounts({"inspector": "look", f"cp/{CP}/engine": "a", "central": "c"})
    central = Central(Account(broker.socket, "central", lambda: "c"))
    with central.bus:
        yield Site(home, central, lambda *words, **env: child(
            *words, EVCS_MQTT_PORT=str(broker.port), **env
        ))  # fmt: skip


@pytest.fixture
def failing() -> Iterator[FailingBackEnd]:
    with FailingBackEnd() as made:
        yield made


@pytest.mark.parametrize("kind", [FailingBackEnd, OcppBackEnd, RpcBackEnd])
def test_whole_charges_with_each_back_end(site: Site, kind: type[Any]) -> None:
    """By card, and from afar; Central has the same Wh as the back end."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind())
        site.begin(back_end, FAST)
        eventually("it is online", lambda: back_end.said("StatusNotification"))
        assert site.central.command("present", tag="CARD").ok
        eventually("it charges", lambda: len(site.central.metered) > 2)
        assert site.central.status is not None
        assert site.central.status.backend_state == "connected"
        refused = site.central.command("present", tag="OTHER")
        assert (refused.ok, refused.error) == (False, "busy")
        assert site.central.command("present", tag="CARD").ok
        eventually("it has ended", lambda: back_end.said("StopTransaction"))
        eventually("it is free", lambda: site.held().transaction is None and not site.held().queue)
        found = back_end.ask("RemoteStartTransaction", _like(kind, {"idTag": "AFAR"}))
        assert found["status"] == "Accepted"
        eventually("it charges", lambda: len(back_end.said("StartTransaction")) == 2)
        eventually("the car is full", lambda: len(back_end.said("StopTransaction")) == 2)
        eventually("both are settled", lambda: len(site.central.tickets) == 2)
        starts, stops = back_end.said("StartTransaction"), back_end.said("StopTransaction")
        wh = [
            _of(stop, "meterStop") - _of(start, "meterStart")
            for start, stop in zip(starts, stops, strict=True)
        ]
        assert wh[1] == 20_000
        assert [one.energy_wh for one in site.central.tickets.values()] == wh
        assert [_of(stop, "transactionId") for stop in stops] == [1, 2]


@pytest.mark.parametrize("kind", [OcppBackEnd, RpcBackEnd])
def test_back_ends_by_others_limit_a_charge(site: Site, kind: type[Any]) -> None:
    """Also over a kill; what they are answered is by their schemas."""
    with ExitStack() as held:
        back_end: BackEnd = held.enter_context(kind())
        site.begin(back_end)
        eventually("it is online", lambda: back_end.said("StatusNotification"))
        assert site.central.command("present", tag="CARD").ok
        eventually("it takes all", lambda: site.central.metered[-1:] and _power(site) > 20_000)
        profile = _profile(kind, 5_000)
        assert back_end.ask("SetChargingProfile", profile)["status"] == "Accepted"
        eventually("it takes less", lambda: _power(site) == 5_000)
        site.kill()
        site.begin(back_end)
        eventually("it is online", lambda: len(back_end.said("BootNotification")) == 2)
        before = len(site.central.metered)
        eventually("it charges on", lambda: len(site.central.metered) > before)
        assert 0 < _power(site) <= 5_000
        asked = {"connector_id": 1, "duration": 60}
        if kind is RpcBackEnd:
            asked = {"connectorId": 1, "duration": 60}
        found = back_end.ask("GetCompositeSchedule", asked)
        (period,) = found[_name(kind, "chargingSchedule")][_name(kind, "chargingSchedulePeriod")]
        assert period["limit"] == 5_000
        assert back_end.ask("ClearChargingProfile", {})["status"] == "Accepted"
        eventually("it takes all", lambda: _power(site) > 20_000)


def _power(site: Site) -> int:
    return site.central.metered[-1].power_w


def _name(kind: type[Any], name: str) -> str:
    return _snake(name) if kind is OcppBackEnd else name


def _profile(kind: type[Any], limit: int) -> dict[str, Any]:
    schedule = {
        "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }  # fmt: skip
    profile = {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": schedule,
    }  # fmt: skip
    # The package `ocpp` spells what is within as it is given.
    return {
        _name(kind, "connectorId"): 0, _name(kind, "csChargingProfiles"): profile,
    }  # fmt: skip


def _like(kind: type[Any], payload: dict[str, Any]) -> dict[str, Any]:
    """As the package `ocpp` spells fields."""
    return {"id_tag": payload["idTag"]} if kind is OcppBackEnd else payload


def _of(payload: dict[str, Any], name: str) -> int:
    return int(payload.get(name, payload.get(_snake(name), -1)))


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


def test_killed_in_a_charge_it_goes_on_and_ends_once(site: Site, failing: FailingBackEnd) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("present", tag="CARD").ok
    for round_ in range(1, 4):
        site.charges()
        site.kill()
        site.begin(failing)
        eventually("it boots", partial(_boots, failing, round_))
    assert site.central.command("present", tag="CARD").ok
    eventually("it is settled", lambda: site.central.tickets)
    eventually("it is told", lambda: failing.said("StopTransaction"))
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]
    (start,), (stop,) = failing.said("StartTransaction"), failing.said("StopTransaction")
    wh = stop["meterStop"] - start["meterStart"]
    assert [one.energy_wh for one in site.central.tickets.values()] == [wh]
    assert wh >= max(one.energy_wh for one in site.central.metered) > 0


def _boots(back_end: BackEnd, more_than: int) -> bool:
    return len(back_end.said("BootNotification")) > more_than


@pytest.mark.parametrize("step", ["station.kept", "station.sent", "station.heard"])
def test_killed_at_each_step_nothing_is_lost_or_said_twice(
    site: Site, failing: FailingBackEnd, step: str
) -> None:
    """Each of the first steps of a charge in turn; the process comes back, the charge goes on."""
    for count in range(1, 7):
        site.begin(failing, EVCS_CRASH_AT=f"{step}:{count}")
        site.present_until_it_ends()
    site.begin(failing)
    eventually("it is online", lambda: site.central.status and site.central.status.online)
    site.central.command("unplug")
    eventually("all is told", lambda: not site.held().queue and site.held().transaction is None)
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"] * (len(actions) // 2)


def test_a_back_end_that_is_away_for_three_charges_hears_them_in_order_once(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    for _ in range(2):
        assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: failing.said("StopTransaction"))
    failing.stop()
    eventually("it is away", lambda: _state(site) == "away")
    for number in range(3):
        assert site.central.command("present", tag="CARD").ok
        site.charges()
        if number == 1:
            site.kill()
            site.begin(failing)
            site.is_back()
        assert site.central.command("present", tag="CARD").ok
    eventually("Central has them", lambda: len(site.central.tickets) == 4)
    failing.start()
    eventually("all are told", lambda: len(failing.said("StopTransaction")) == 4)
    matter = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert matter == ["StartTransaction", "StopTransaction"] * 4
    starts, stops = failing.said("StartTransaction"), failing.said("StopTransaction")
    wh = [
        stop["meterStop"] - start["meterStart"] for start, stop in zip(starts, stops, strict=True)
    ]
    assert wh == [one.energy_wh for one in site.central.tickets.values()]
    assert [one["meterStart"] for one in starts[1:]] == [one["meterStop"] for one in stops[:-1]]
    assert [one["timestamp"] for one in starts] == sorted(one["timestamp"] for one in starts)


def _state(site: Site) -> str | None:
    return site.central.status and site.central.status.backend_state


@pytest.mark.parametrize("how", ["error", "cut before", "cut after", "twice"])
def test_a_back_end_that_fails_hears_each_message_once(
    site: Site, failing: FailingBackEnd, how: str
) -> None:
    """Each message that matters fails once, in one way; then it is taken."""
    failed: list[str] = []

    def once(action: str) -> str:
        if action not in ("StartTransaction", "StopTransaction"):
            return "good"
        failed.append(action)
        return how if failed.count(action) == 1 else "good"

    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    key = {"key": "TransactionMessageRetryInterval", "value": "1"}
    assert failing.ask("ChangeConfiguration", key) == {"status": "Accepted"}
    failing.how = once
    assert site.central.command("present", tag="CARD").ok
    eventually("it charges", lambda: len(site.central.metered) > 2)
    assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: "StopTransaction" in dict(failing.matter()))
    eventually("all is told", lambda: not site.held().queue)
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]
    stop = dict(failing.matter())["StopTransaction"]
    assert stop["transactionId"] == 1


@pytest.mark.parametrize(("status", "state"), [(401, "refused"), (404, "refused"), (503, "away")])
def test_a_back_end_that_lets_it_not_in_is_told_and_tried_again(
    site: Site, failing: FailingBackEnd, status: int, state: str
) -> None:
    failing.refuse = status
    site.begin(failing)
    eventually("it is on the bus", lambda: site.central.status)
    eventually("its state is told", lambda: _state(site) == state)
    shown = eventually(
        "why is shown", lambda: site.central.command("backend").body.get("reason"), 20
    )
    assert str(status) in shown
    failing.refuse = 0
    eventually("it is in", lambda: _state(site) == "connected")
    body = site.central.command("backend").body
    assert body["backend_state"] == "connected"
    assert body["waiting"] == []
    eventually("frames", lambda: site.central.command("backend").body["frames"])


def test_a_reset_ends_the_charge_and_it_boots_again(site: Site, failing: FailingBackEnd) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("plug").ok  # its car has a card
    eventually("it charges", lambda: len(site.central.metered) > 1)
    assert failing.said("Authorize")[0]["idTag"] == "TOKEN"
    assert failing.ask("Reset", {"type": "Soft"}) == {"status": "Accepted"}
    eventually("it boots", lambda: len(failing.said("BootNotification")) == 2)
    eventually("it is told", lambda: failing.said("StopTransaction"))
    assert failing.said("StopTransaction")[0]["reason"] == "SoftReset"
    actions = [action for action, _ in failing.matter() if action != "MeterValues"]
    assert actions == ["StartTransaction", "StopTransaction"]


def test_what_central_asks_of_another_engine_is_refused_and_a_stop_ends(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    start = site.central.command("start", session_id="x", energy_wh=1_000, max_power_w=1_000)
    assert (start.ok, start.error) == (False, "bad_command")
    assert site.central.command("stop", session_id="x").error == "no_session"
    assert site.central.command("present", tag="CARD").ok
    eventually("Central knows it", lambda: site.central.metered)
    session = site.central.metered[0].session_id
    assert site.central.command("stop", session_id=session, reason="deleted").ok
    eventually("it is settled", lambda: site.central.tickets)
    assert site.central.tickets[session].reason == "deleted"
    assert site.central.command("fault", reason="it burns").ok
    eventually("it is told", lambda: failing.said("StatusNotification")[-1]["status"] == "Faulted")
    assert site.central.command("present", tag="CARD").error == "faulted"
    site.kill()
    site.begin(failing)
    eventually("it is still broken", lambda: len(failing.said("BootNotification")) == 2)
    assert site.central.command("present", tag="CARD").error == "faulted"
    assert site.central.command("clear").ok
    eventually("it is well", lambda: failing.said("StatusNotification")[-1]["status"] != "Faulted")


def test_one_whose_file_is_gone_waits_for_it_with_its_charge(
    site: Site, failing: FailingBackEnd
) -> None:
    site.begin(failing)
    eventually("it is online", lambda: failing.said("StatusNotification"))
    assert site.central.command("present", tag="CARD").ok
    site.charges()
    site.kill()
    before = site.held().transaction
    path = site.home.back_end(CP)
    kept = path.read_text()
    path.unlink()
    process = site.start()
    assert process.wait(30) == 1
    assert site.held().transaction == before
    path.write_text(kept)
    site.begin(failing)
    eventually("it goes on", lambda: len(failing.said("BootNotification")) == 2)
    assert site.central.command("present", tag="CARD").ok
    eventually("it is told", lambda: failing.said("StopTransaction"))
    assert len(failing.said("StartTransaction")) == 1
