"""What Central does with a request for a CP's processes or charger: to its host, and back, once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.placement import OCPP
from evcs.core.ports import Connected, Received
from evcs.services.central.relay import GATEWAY, MANAGER, PARTIES
from tests.unit.test_central import BIRTH, CP, DESIRED
from tests.unit.test_central import Stage as CentralStage

BORN = m.ServiceStatus("manager/main", True, "m1", "1")
ALL = ("kill", "log", "processes", "restart")
PROCESS = {
    "group": CP, "name": "engine", "state": "RUNNING", "pid": 7, "idle_s": 1, "error": "", "x": [],
}  # fmt: skip
ANSWER: dict[str, Any] = {"pid": 7, "lines": ["x"], "next": "1:2", "processes": [PROCESS]}
REPLY_WITHIN_S = PARTIES[MANAGER].within_s
RESET: dict[str, Any] = {
    "action": "Reset",
    "payload": {"type": "Soft", "new": ["in", {"later": "versions"}]},
}


class Stage(CentralStage):
    """A Central that knows a CP Manager."""

    def asks(self, verb: str, id_: str = "r1", cp: str | None = CP, who: str = "web") -> list[Any]:
        """What Central says to a request."""
        asked = m.OperatorRequest(who, verb, id_, cp, role="engine", after="7")
        return self.hears(asked)

    def after(self, seconds: float) -> list[Any]:
        """What it says then."""
        self.bus.taken()
        self.clock.now += seconds
        self.central.tick(self.clock.now)
        return answers(self.bus.taken())

    def entries(self) -> list[tuple[str, ...]]:
        """The audit's, of what was done."""
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(
                "SELECT who, what, cp, outcome, detail FROM audit"
                " WHERE what IN ('restart', 'kill', 'processes', 'log', 'ocpp') ORDER BY rowid"
            ).fetchall()


def answers(said: list[Any]) -> list[m.OperatorEvent]:
    return [one for one in said if isinstance(one, m.OperatorEvent)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path / "ledger.db")
    found.hears(BORN)
    yield found
    found.ledger.close()


def reply(id_: str = "r1", host: str = "main", ok: bool = True, **body: Any) -> m.ManagerReply:
    return m.ManagerReply(host, id_, ok, None if ok else "conflict", body)


@pytest.mark.parametrize("verb", ALL)
def test_a_request_goes_to_the_cps_host_and_its_answer_back(stage: Stage, verb: str) -> None:
    command = m.ManagerCommand("main", verb, "r1", CP, "engine", "7")
    assert stage.asks(verb) == [command]
    body: dict[str, Any] = {**ANSWER, "new": {"in": "later versions"}}
    assert stage.hears(reply(**body)) == [m.OperatorEvent("web", "answer", "r1", True, None, body)]
    assert stage.after(REPLY_WITHIN_S) == []


@pytest.mark.parametrize(
    ("verb", "wrong"),
    [
        ("log", {"lines": []}), ("log", {"lines": [1]}), ("log", {"lines": "x"}),
        ("log", {"next": 1}), ("kill", {"pid": "7"}), ("kill", {"pid": None}),
        ("processes", {"processes": {}}), ("processes", {"processes": [PROCESS, []]}),
        *(("processes", {"processes": [{**PROCESS, one: None}]}) for one in PROCESS if one != "x"),
    ],
)  # fmt: skip
def test_what_can_be_no_answer_is_refused(stage: Stage, verb: str, wrong: dict[str, Any]) -> None:
    """So that who asks for pages of a log comes to its end, whatever a host says."""
    stage.asks(verb)
    (answer,) = stage.hears(reply(**{**ANSWER, **wrong}))
    assert (answer.ok, answer.error) == (False, "unreachable")


def test_it_goes_to_the_host_that_still_holds_it(stage: Stage) -> None:
    moving = DESIRED._replace(
        host="h2", placement="t2", previous_host="main", previous_placement="t1"
    )
    stage.hears(moving)
    (command,) = stage.asks("restart")
    assert command.host == "main"


def test_an_id_is_passed_on_and_answered_once(stage: Stage) -> None:
    stage.asks("kill")
    assert stage.asks("kill") == []
    assert stage.asks("kill", who="operator") == []
    assert len(stage.hears(reply(), reply())) == 1
    assert stage.asks("kill") == []
    assert stage.hears(reply()) == []


@pytest.mark.parametrize("other", [reply("r2"), reply(host="h2")])
def test_what_was_not_asked_is_no_answer(stage: Stage, other: m.ManagerReply) -> None:
    stage.asks("restart")
    assert stage.hears(other) == []
    assert len(stage.hears(reply())) == 1


def refused(said: list[Any], code: str) -> str:
    """The message of the one refusal."""
    (event,) = said
    assert (event.ok, event.error) == (False, code)
    assert event.body["hint"]
    return str(event.body["message"])


@pytest.mark.parametrize("cp", ["CP-404", None])
def test_no_such_cp(stage: Stage, cp: str | None) -> None:
    refused(stage.asks("restart", cp=cp), "not_found")


@pytest.mark.parametrize("verb", ALL)
def test_a_manager_that_is_not_there_is_said_at_once(stage: Stage, verb: str) -> None:
    stage.hears(BORN._replace(online=False))
    said = refused(stage.asks(verb), "unreachable")
    assert said == "the CP Manager of host main is not there"
    stage.hears(BORN._replace(boot="m2"))
    assert stage.asks(verb, "r2")[0].host == "main"


def test_a_manager_is_there_when_the_broker_says_so_over_this_connection(stage: Stage) -> None:
    stage.central.handle([Connected()])
    stage.hears(BIRTH)
    refused(stage.asks("restart"), "unreachable")
    stage.central.handle([Received(BORN, True)])
    assert stage.asks("restart", "r2")[0].host == "main"


@pytest.mark.parametrize("verb", ALL)
def test_a_manager_that_hangs_is_said_in_some_seconds(stage: Stage, verb: str) -> None:
    stage.asks(verb)
    assert stage.after(REPLY_WITHIN_S - 1.0) == []
    said = refused(stage.after(1.0), "unreachable")
    assert said == "the CP Manager of host main does not answer"
    assert stage.hears(reply()) == []


def test_what_is_done_is_audited_and_what_is_looked_at_is_not(stage: Stage) -> None:
    for number, verb in enumerate(ALL):
        stage.asks(verb, str(number))
        stage.hears(reply(str(number), **ANSWER))
    stage.asks("kill", "9")
    stage.hears(reply("9", ok=False, message="it does not run now"))
    assert stage.entries() == [
        ("web", "kill", CP, "asked", "engine"), ("web", "kill", CP, "ok", "engine"),
        ("web", "restart", CP, "asked", "engine"), ("web", "restart", CP, "ok", "engine"),
        ("web", "kill", CP, "asked", "engine"),
        ("web", "kill", CP, "refused: it does not run now", "engine"),
    ]  # fmt: skip


@pytest.fixture
def real(stage: Stage) -> Stage:
    """The CP is a real charger, and its gateway is there."""
    stage.hears(DESIRED._replace(hosting=OCPP), m.ServiceStatus("gateway/main", True, "g1", "1"))
    return stage


def asked(body: dict[str, Any]) -> m.OperatorRequest:
    return m.OperatorRequest("operator", "ocpp", "r1", CP, body=body)


def test_what_is_told_to_a_charger_goes_to_its_gateway_and_back_unread(real: Stage) -> None:
    assert real.hears(asked(RESET)) == [m.GatewayCommand("main", "ocpp", "r1", CP, RESET)]
    assert real.hears(reply()) == [], "a CP Manager was not asked"
    body = {"answer": {"status": "Accepted"}, "version": "1.6"}
    said = real.hears(m.GatewayReply("main", "r1", True, None, body))
    assert said == [m.OperatorEvent("operator", "answer", "r1", True, None, body)]
    assert [entry[2:] for entry in real.entries()] == [(CP, "asked", "Reset"), (CP, "ok", "Reset")]


def test_of_an_order_the_audit_has_the_word_and_no_value(real: Stage) -> None:
    real.hears(asked({"order": "set", "key": "AuthorizationKey", "value": "secret"}))
    real.hears(m.GatewayReply("main", "r1", True, None, {}))
    assert [entry[2:] for entry in real.entries()] == [(CP, "asked", "set"), (CP, "ok", "set")]


def test_a_charger_has_longer_to_answer(real: Stage) -> None:
    real.hears(asked(RESET))
    assert real.after(PARTIES[GATEWAY].within_s - 1.0) == []
    said = refused(real.after(1.0), "unreachable")
    assert said == "the gateway of host main does not answer"


def test_a_gateway_that_is_not_there_is_said_at_once(real: Stage) -> None:
    real.hears(m.ServiceStatus("gateway/main", False, "g1"))
    said = refused(real.hears(asked(RESET)), "unreachable")
    assert said == "the gateway of host main is not there"


def test_a_gateway_that_ends_answers_nothing(real: Stage) -> None:
    real.hears(asked(RESET))
    said = refused(real.hears(m.ServiceStatus("gateway/main", False, "g1")), "unreachable")
    assert said == "the gateway of host main has ended"
    real.hears(m.ServiceStatus("gateway/main", True, "g2", "1"))
    assert real.hears(m.GatewayReply("main", "r1", True, None, {})) == []


@pytest.mark.parametrize("body", [{"revision": 7}, {}])
def test_whether_a_charger_has_taken_it_is_no_act(real: Stage, body: dict[str, Any]) -> None:
    request = m.OperatorRequest("operator", "confirm", "r1", CP, body=body)
    assert real.hears(request) == [m.GatewayCommand("main", "confirm", "r1", CP, body)]
    said = real.hears(m.GatewayReply("main", "r1", True, None, {"charger": "confirmed"}))
    assert [one.body for one in answers(said)] == [{"charger": "confirmed"}]
    assert real.entries() == []


def test_a_charger_is_restarted_by_its_gateway_and_has_no_role_to_kill(real: Stage) -> None:
    assert real.asks("restart") == [m.GatewayCommand("main", "restart", "r1", CP)]
    refused(real.asks("kill", "r2"), "conflict")
    assert real.asks("log", "r3") == [m.ManagerCommand("main", "log", "r3", CP, "engine", "7")]


def test_what_only_a_charger_can_do_is_asked_of_no_other(stage: Stage) -> None:
    refused(stage.hears(asked(RESET)), "conflict")


@pytest.mark.parametrize("verb", ["plug", "unplug", "fault", "clear"])
def test_nobody_plugs_a_real_charger_by_hand(real: Stage, verb: str) -> None:
    (event,) = real.asks(verb)
    assert (event.ok, event.error) == (False, "conflict")


@pytest.mark.parametrize("word", ["Preparing", "SuspendedEV"])
def test_a_charger_says_in_its_own_word_how_it_is(real: Stage, word: str) -> None:
    def told(**monitor: Any) -> list[tuple[str, str]]:
        status = m.MonitorStatus(CP, True, "m1", "ok", 1.0, **monitor)
        said = real.hears(status)
        return [(one.state, one.ocpp_status) for one in said if isinstance(one, m.CpState)]

    assert told(ocpp_status=word) == [("ACTIVATED", word)]
    assert told(ocpp_status=word) == []
    assert told() == [("ACTIVATED", "Available")]
    told(ocpp_status=word)
    out = real.hears(DESIRED._replace(hosting=OCPP, service="out", revision=2))
    assert [one.ocpp_status for one in out] == ["Unavailable"]
