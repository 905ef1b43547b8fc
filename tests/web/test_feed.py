"""Snapshots, deltas, and what a slow reader gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evcs.core import messages as m
from evcs.core.errors import Unreachable
from evcs.services.web import feed as feeds
from evcs.services.web.feed import Feed
from evcs.services.web.snapshot import FleetSnapshot
from tests.web.test_snapshot import NOW, fleet, judged, wanted


def feed_of(
    found: FleetSnapshot, listen: Callable[[str, bool], None] = lambda _cp, _on: None
) -> Feed:
    return Feed(found, lambda: NOW, listen)


def events(data: bytes) -> list[tuple[str, Any]]:
    found = []
    for part in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_stream_begins_with_a_snapshot_and_goes_on_with_changed_fields() -> None:
    found = fleet(wanted("A"), wanted("B"))
    feed = feed_of(found)
    feed.tick()
    stream = feed.stream()
    ((name, snapshot),) = events(next(stream))
    assert name == "snapshot"
    assert [row["id"] for row in snapshot["cps"]] == ["A", "B"]
    found.message(judged("B"), False, "")
    feed.tick()
    ((name, delta),) = events(next(stream))
    assert name == "delta"
    assert delta["cps"] == [
        {"id": "B", "state": "ACTIVATED", "ocpp_status": "Available", "reason": "",
         "since": judged("B").since}
    ]  # fmt: skip
    assert set(delta["services"]) == {"broker", "central", "registry"}


def test_a_snapshot_and_the_deltas_after_it_give_the_present() -> None:
    found = fleet(wanted("A"))
    feed = feed_of(found)
    feed.tick()
    found.message(wanted("B"), False, "")  # between two ticks
    stream = feed.stream()
    rows = {row["id"]: row for row in events(next(stream))[0][1]["cps"]}
    assert set(rows) == {"A"}
    feed.tick()
    for row in events(next(stream))[0][1]["cps"]:
        rows[row["id"]] = {**rows.get(row["id"], {}), **row}
    assert rows == {cp: found.row(cp) for cp in ("A", "B")}


def test_the_removed_are_named_and_returned() -> None:
    found = fleet(wanted("A"))
    feed = feed_of(found)
    feed.tick()
    found.message(wanted("A", deleted=True), False, "")
    assert feed.tick() == ["A"]
    assert feed.snapshot()["cps"] == []


def test_deleted_and_created_again_within_a_second() -> None:
    found = fleet(wanted("A"))
    feed = feed_of(found)
    feed.tick()
    found.message(wanted("A", deleted=True), False, "")
    found.message(wanted("A", location="new"), False, "")
    assert feed.tick() == []
    assert feed.snapshot()["cps"][0]["location"] == "new"


def test_a_heartbeat_comes_though_nothing_changes() -> None:
    feed = feed_of(fleet(wanted("A")))
    feed.tick()
    stream = feed.stream()
    next(stream)
    for _ in range(feeds.BEAT_TICKS):
        feed.tick()
    ((name, beat),) = events(next(stream))
    assert (name, beat["cps"], beat["removed"]) == ("delta", [], [])


@pytest.mark.parametrize(("cps", "parts"), [(0, 1), (1, 1), (3, 1), (4, 2), (7, 3)])
def test_a_long_snapshot_comes_in_parts(monkeypatch: Any, cps: int, parts: int) -> None:
    monkeypatch.setattr(feeds, "PART", 3)
    feed = feed_of(fleet(*(wanted(f"CP-{number}") for number in range(cps))))
    feed.tick()
    stream = feed.stream()
    found = [event for _ in range(parts) for event in events(next(stream))]
    assert [name for name, _ in found] == ["snapshot", *["part"] * (parts - 1)]
    assert [data["more"] for _, data in found] == [*[True] * (parts - 1), False]
    told = [row["id"] for _, data in found for row in data["cps"]]
    assert told == [f"CP-{number}" for number in range(cps)]


def test_a_reader_that_fell_behind_gets_a_snapshot() -> None:
    found = fleet(wanted("A"))
    feed = feed_of(found)
    feed.tick()
    stream = feed.stream()
    next(stream)
    for number in range(feeds.KEPT_BATCHES + 5):
        found.message(wanted("A", location=str(number)), False, "")
        feed.tick()
    ((name, snapshot),) = events(next(stream))
    assert name == "snapshot"
    assert snapshot["cps"][0]["location"] == str(feeds.KEPT_BATCHES + 4)


def test_too_many_streams_are_refused_and_places_come_free(monkeypatch: Any) -> None:
    monkeypatch.setattr(feeds, "MAX_STREAMS", 2)
    feed = feed_of(fleet())
    streams = [feed.stream(), feed.stream()]
    for stream in streams:
        next(stream)
    with pytest.raises(Unreachable):
        feed.stream()
    streams[0].close()  # type: ignore[attr-defined]
    next(feed.stream())


def test_the_operator_has_streams_that_nobody_else_takes(monkeypatch: Any) -> None:
    monkeypatch.setattr(feeds, "MAX_STREAMS", 2)
    monkeypatch.setattr(feeds, "FOR_OPERATOR", 1)
    feed = feed_of(fleet())
    streams = [feed.stream(), feed.stream(), feed.stream(is_operator=True)]
    for stream in streams:
        next(stream)
    for is_operator in (True, False):
        with pytest.raises(Unreachable):
            feed.stream(is_operator=is_operator)


def test_messages_of_its_cp_alone() -> None:
    feed = feed_of(fleet(wanted("A")))
    feed.tick()
    stream = feed.stream("A")
    next(stream)
    feed.tap("A", judged("A"))
    feed.tap("B", judged("B"))
    feed.tap("A", m.EngineStatus("A", True, "b"))
    feed.tick()
    ((name, found),) = events(next(stream))
    assert name == "messages"
    assert [one["topic"] for one in found["messages"]] == [
        "evcs/v1/central/cp/A/state", "evcs/v1/cp/A/engine/status",
    ]  # fmt: skip


def test_a_fault_that_came_and_went_within_a_batch_is_shown() -> None:
    found = fleet(wanted("A"), judged("A"))
    feed = feed_of(found)
    feed.tick()
    found.message(judged("A", "BROKEN_DOWN"), False, "")
    found.message(judged("A"), False, "")
    feed.tick()
    assert feed.rows["A"]["state"] == "BROKEN_DOWN"
    feed.tick()
    assert feed.rows["A"]["state"] == "ACTIVATED"
    found.message(judged("A", "BROKEN_DOWN"), False, "")
    feed.tick()
    found.message(judged("A"), False, "")  # seen as broken down already
    feed.tick()
    assert feed.rows["A"]["state"] == "ACTIVATED"


def test_a_cps_messages_are_listened_to_while_somebody_looks() -> None:
    told: list[tuple[str, bool]] = []
    feed = feed_of(fleet(wanted("A")), lambda cp, on: told.append((cp, on)))
    streams = [feed.stream("A"), feed.stream("A"), feed.stream()]
    for stream in streams:
        next(stream)
    assert told == [("A", True)]
    streams[0].close()  # type: ignore[attr-defined]
    assert told == [("A", True)]
    streams[1].close()  # type: ignore[attr-defined]
    assert told == [("A", True), ("A", False)]
