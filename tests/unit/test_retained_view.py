"""What the broker keeps: whole or not, news or not, heard or not."""

from __future__ import annotations

import pytest

from evcs.core import messages as m
from evcs.core.retained_view import RetainedView

BIRTH = m.ServiceStatus("central", True, "mine", "1")
REGISTRY = m.ServiceStatus("registry", True, "r", "1")


def desired(cp: str = "CP-1") -> m.DesiredCp:
    return m.DesiredCp(cp, cp, "in", "0.30", 22_000, "", "main", False, False, 1)


@pytest.fixture
def view() -> RetainedView:
    made = RetainedView("mine")
    made.connected()
    return made


def test_the_snapshot_is_whole_with_the_echo_of_ones_own_birth(view: RetainedView) -> None:
    for said in (
        REGISTRY,
        m.ServiceStatus("central", True, "another"),
        BIRTH._replace(online=False),
    ):
        view.take(said, True)
        assert not view.whole
    view.take(BIRTH, False)
    assert view.whole
    view.disconnected()
    assert not view.whole


@pytest.mark.parametrize("first", [True, False])
def test_the_registrys_list_is_whole_with_its_birth_or_where_the_broker_kept_it(
    view: RetainedView, first: bool
) -> None:
    kept = [(REGISTRY, True), (BIRTH, False)] if first else [(BIRTH, False), (REGISTRY, False)]
    for message, retained in kept:
        assert not view.listed
        view.take(message, retained)
    assert view.listed


def test_a_registry_that_leaves_just_then_has_told_nothing(view: RetainedView) -> None:
    view.take(BIRTH, False)
    view.take(REGISTRY._replace(online=False), False)
    assert not view.listed


def test_a_list_that_the_broker_kept_of_a_registry_that_is_away_is_whole(
    view: RetainedView,
) -> None:
    view.take(REGISTRY._replace(online=False), True)
    view.take(BIRTH, False)
    assert view.listed


@pytest.mark.parametrize("kind", [m.EngineStatus, m.MonitorStatus])
def test_a_will_behind_a_later_birth_is_no_news(
    view: RetainedView, kind: type[m.EngineStatus | m.MonitorStatus]
) -> None:
    assert view.take(kind("CP-1", True, "first"), False)
    assert view.take(kind("CP-1", True, "second"), False)
    assert not view.take(kind("CP-1", False, "first"), False)
    assert view.take(kind("CP-2", False, "first"), False), "of another CP"
    assert view.take(kind("CP-1", False, "second"), False)
    assert view.take(kind("CP-1", False, "first"), False), "nobody is there any more"


def test_what_was_told_before_and_is_not_told_again_is_stale(view: RetainedView) -> None:
    for cp in ("CP-1", "CP-2", "CP-3"):
        view.take(desired(cp), True)
    assert view.stale(m.DesiredCp) == set()
    view.connected()
    view.take(desired("CP-1"), True)
    view.take(m.Cleared(m.DesiredCp, {"cp": "CP-2"}), False)
    assert view.stale(m.DesiredCp) == {"CP-3"}
    view.forget(m.DesiredCp, "CP-3")
    assert view.stale(m.DesiredCp) == set()
    assert view.stale(m.EngineStatus) == set()


def test_after_its_will_the_registry_tells_its_list_anew(view: RetainedView) -> None:
    for said in (desired("CP-1"), desired("CP-2"), REGISTRY, BIRTH):
        view.take(said, False)
    assert view.take(REGISTRY._replace(online=False), False)
    away = view.listed
    view.take(desired("CP-1"), False)
    view.take(REGISTRY._replace(boot="next"), False)
    assert (away, view.listed) == (False, True)
    assert view.stale(m.DesiredCp) == {"CP-2"}


def test_a_services_will_behind_a_later_birth_is_no_news_unless_the_broker_kept_it(
    view: RetainedView,
) -> None:
    for said in (BIRTH, desired(), REGISTRY, REGISTRY._replace(boot="next")):
        view.take(said, False)
    assert not view.take(REGISTRY._replace(online=False), False)
    assert view.listed
    view.connected()
    view.take(BIRTH, False)
    assert view.take(REGISTRY._replace(online=False, boot="after next"), True)
    assert view.listed
