"""What the bus says, as rows: the table of what web may show when."""

from __future__ import annotations

from evcs.core import messages as m
from evcs.services.web.snapshot import NOT_JUDGED, FleetSnapshot

NOW, LATER = "2026-11-22T09:00:00.000Z", "2026-11-22T09:05:00.000Z"
MINE = m.ServiceStatus("web", True, "mine", "0.1.0")
REGISTRY = m.ServiceStatus("registry", True, "r", "0.1.0")
CONTRACT = {
    "id", "location", "price_eur_kwh", "max_power_w", "host", "service", "revoked", "state",
    "ocpp_status", "reason", "session", "since",
}  # fmt: skip


def wanted(cp: str, **fields: object) -> m.DesiredCp:
    return m.DesiredCp(
        cp, cp, "in", "0.30", 22_000, "", "main", False, False, 1
    )._replace(**fields)  # type: ignore[arg-type]  # fmt: skip


def judged(cp: str, state: str = "ACTIVATED") -> m.CpState:
    return m.CpState(cp, state, "", NOW, "Available", None, 1)


def fleet(*messages: m.Message | m.Cleared) -> FleetSnapshot:
    found = FleetSnapshot("mine")
    found.connected(NOW)
    for message in messages:
        found.message(message, False, NOW)
    return found


def test_a_row_is_the_contracts_json() -> None:
    row = fleet(wanted("CP-7"), judged("CP-7")).row("CP-7")
    assert row is not None
    assert set(row) >= CONTRACT
    assert (row["state"], row["since"], row["price_eur_kwh"]) == ("ACTIVATED", NOW, "0.30")


def test_a_session_goes_along() -> None:
    session = m.SessionView("s", "ALICE", 1_240, 21_000, "0.37")
    row = fleet(wanted("CP-7"), judged("CP-7")._replace(session=session)).row("CP-7")
    assert row is not None
    assert row["session"] == {
        "session_id": "s", "driver": "ALICE", "energy_wh": 1_240, "power_w": 21_000,
        "cost_eur": "0.37", "limit_w": None, "wait_s": None, "limit_shown_s": None,
        "requested_wh": None,
    }  # fmt: skip


def test_what_central_has_not_judged_is_disconnected() -> None:
    row = fleet(wanted("CP-7")).row("CP-7")
    assert row is not None
    assert (row["state"], row["reason"], row["since"]) == ("DISCONNECTED", NOT_JUDGED.reason, None)


def test_a_judged_state_without_a_wish_is_no_row() -> None:
    assert fleet(judged("CP-7")).ids() == []


def test_a_tombstone_is_left_out() -> None:
    found = fleet(wanted("CP-7"), wanted("CP-7", deleted=True))
    assert found.ids() == []
    assert found.drain().removed == {"CP-7"}


def test_a_cleared_wish_is_left_out() -> None:
    found = fleet(wanted("CP-7"), m.Cleared(m.DesiredCp, {"cp": "CP-7"}))
    assert found.row("CP-7") is None


def test_what_the_manager_made_of_it() -> None:
    found = fleet(wanted("CP-7", revision=5))
    for applied, expected in (
        (m.ReconcileReport("main", "CP-7", True, 4), (None, None)),
        (m.ReconcileReport("main", "CP-7", True, 5), (True, None)),
        (m.ReconcileReport("main", "CP-7", False, 5, "disk full"), (False, "disk full")),
    ):
        found.message(applied, False, NOW)
        row = found.row("CP-7")
        assert row is not None
        assert (row["applied"], row["apply_error"]) == expected


def test_only_what_changed_is_drained() -> None:
    found = fleet(wanted("A"), wanted("B"))
    assert found.drain().changed == {"A", "B"}
    found.message(judged("B"), False, NOW)
    assert found.drain().changed == {"B"}
    assert found.drain().changed == frozenset()


def test_not_ready_before_the_registrys_list_is_known() -> None:
    found = fleet(REGISTRY)
    assert not found.ready
    found.message(MINE._replace(boot="an older one"), False, NOW)
    assert not found.ready
    found.message(MINE, False, NOW)
    assert found.ready


def test_a_restarted_broker_never_empties_the_list() -> None:
    found = fleet(wanted("A"), wanted("B"), judged("A"), REGISTRY, MINE)
    found.disconnected(LATER)
    found.connected(LATER)
    found.message(MINE, False, LATER)
    assert found.ids() == ["A", "B"]  # the Registry is not back yet
    found.message(wanted("B"), False, LATER)
    found.message(REGISTRY, False, LATER)
    assert found.ids() == ["B"]  # its whole list has been told: A is no more


def test_a_registry_that_comes_back_with_less() -> None:
    found = fleet(wanted("A"), wanted("B"), REGISTRY, MINE)
    found.message(REGISTRY._replace(online=False), False, LATER)
    found.message(wanted("A"), False, LATER)
    found.message(REGISTRY, False, LATER)
    assert found.ids() == ["A"]


def test_presence_says_since_when() -> None:
    found = fleet(REGISTRY)
    assert found.services["registry"] == (True, NOW, "0.1.0")
    found.message(REGISTRY, False, LATER)
    assert found.services["registry"][1] == NOW
    found.disconnected(LATER)
    assert found.services["registry"][:2] == (False, LATER)
    assert found.services["broker"][:2] == (False, LATER)


def test_processes_are_seen_by_their_boot() -> None:
    found = fleet(wanted("A"), m.EngineStatus("A", True, "1"), m.MonitorStatus("A", False, "x"))
    row = found.row("A")
    assert row is not None
    assert (row["engine"], row["monitor"]) == ("1", None)
    for status, engine in (
        (m.EngineStatus("A", True, "2"), "2"),
        (m.EngineStatus("A", False, "1"), "2"),  # the late will of the one before
        (m.EngineStatus("A", False, "2"), None),
    ):
        found.message(status, False, NOW)
        row = found.row("A")
        assert row is not None
        assert row["engine"] == engine


def test_a_late_will_of_an_older_registry_says_nothing() -> None:
    found = fleet(wanted("A"), REGISTRY, MINE, REGISTRY._replace(boot="next"))
    found.message(REGISTRY._replace(online=False), False, LATER)
    assert found.services["registry"].up
    assert found.ids() == ["A"]


def test_a_registry_that_is_away_left_its_list_with_the_broker() -> None:
    found = fleet(wanted("A"))
    found.message(REGISTRY._replace(online=False), True, LATER)
    found.message(MINE, False, LATER)
    assert found.ready


def test_hosts_are_what_is_wanted_and_what_central_says() -> None:
    found = fleet(
        wanted("CP-1"), wanted("CP-2", host="h2"), wanted("CP-3", host="h2"),
        m.DesiredHost("h2", NOW), m.DesiredHost("h3", None, LATER),
        m.HostState("main", True, NOW, "7", "10.0.0.1", 0.0),
        m.HostState("h2", False, LATER, "6", "10.0.0.2"),
    )  # fmt: skip
    rows = found.host_rows()
    assert {name: (row["online"], row["cps"]) for name, row in rows.items()} == {
        "h2": (False, 2), "h3": (False, 0), "main": (True, 1),
    }  # fmt: skip
    assert (rows["h2"]["since"], rows["h2"]["joined_at"]) == (LATER, NOW)
    assert rows["h3"]["invited_until"] == LATER
    assert found.services["manager/h2"].up is False, "also before it was ever there"
    assert "manager/h3" not in found.services
    for kind, key in ((m.DesiredHost, "host"), (m.HostState, "host")):
        found.message(m.Cleared(kind, {key: "h2"}), False, NOW)
    found.message(m.Cleared(m.ServiceStatus, {"service": "manager/h2"}), False, NOW)
    assert found.host_rows().keys() == {"h3", "main"}
    assert "manager/h2" not in found.services


def test_a_host_whose_removal_was_missed_is_dropped() -> None:
    found = fleet(m.DesiredHost("h2", NOW), REGISTRY, MINE)
    found.connected(NOW)
    for message in (REGISTRY, MINE):
        found.message(message, True, NOW)
    assert found.host_rows() == {}
    assert "manager/h2" not in found.services


def test_an_old_place_takes_back_its_own_word_alone() -> None:
    new = m.ReconcileReport("h3", "CP-7", True, 1)
    found = fleet(wanted("CP-7", host="h3"), m.ReconcileReport("h2", "CP-7", True, 1), new)
    found.message(m.Cleared(m.ReconcileReport, {"host": "h2", "cp": "CP-7"}), False, NOW)
    row = found.row("CP-7")
    assert row is not None
    assert row["applied"] is True


def test_a_report_of_another_host_is_not_its_cps() -> None:
    stranger = m.ReconcileReport("h2", "CP-7", False, 9, "not yours")
    found = fleet(wanted("CP-7"), m.ReconcileReport("main", "CP-7", True, 1), stranger)
    gone = m.Cleared(m.ReconcileReport, {"host": "h2", "cp": "CP-7"})
    for message in (stranger, gone):
        found.message(message, False, NOW)
        row = found.row("CP-7")
        assert row is not None
        assert (row["applied"], row["apply_error"]) == (True, None)


def test_while_it_moves_the_old_places_word_counts_until_the_new_one_speaks() -> None:
    moving = wanted("CP-7", host="h3", previous_host="h2", previous_placement="token")
    found = fleet(moving, m.ReconcileReport("h2", "CP-7", False, 1, "disk full"))
    row = found.row("CP-7")
    assert row is not None
    assert row["apply_error"] == "disk full"
    found.message(m.ReconcileReport("h3", "CP-7", True, 1), False, NOW)
    row = found.row("CP-7")
    assert row is not None
    assert (row["applied"], row["apply_error"]) == (True, None)
