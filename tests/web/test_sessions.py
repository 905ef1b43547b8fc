"""Sessions and tickets over HTTP, from a real ledger."""

from __future__ import annotations

import csv
import io

import pytest

from evcs.adapters.ledger import Ledger
from evcs.core.session import SETTLED, Session
from evcs.services.web.session_api import COLUMNS, as_csv
from tests.web.stage import Stage


def session(number: int, day: int, reason: str = "") -> Session:
    return Session(
        session_id=f"s{number}", cp=f"CP-{number % 2}", driver="ALICE", price_eur_kwh="0.30",
        requested_wh=20_000, max_power_w=22_000, started_at=f"2026-11-{day:02d}T09:00:00.000Z",
        phase=SETTLED, energy_wh=1_000 * number, seq=1, power_w=0, reason=reason,
        ended_at=f"2026-11-{day:02d}T10:00:00.000Z", cost_eur=f"0.{30 * number}",
    )  # fmt: skip


def test_no_ledger_yet_is_no_session(stage: Stage) -> None:
    assert stage.get("/api/v1/sessions").json == []
    assert stage.get("/api/v1/sessions.csv").body.decode().splitlines() == [",".join(COLUMNS)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["s3", "s2", "s1"]),
        ("cp=CP-1", ["s3", "s1"]),
        ("since=2026-11-21", ["s3", "s2"]),
        ("until=2026-11-21", ["s2", "s1"]),
        ("since=2026-11-21&until=2026-11-21T23:00:00Z", ["s2"]),
        ("until=2026-11-21&limit=1", ["s2"]),
        ("limit=1", ["s3"]),
        ("driver=BOB", []),
        ("state=active", []),
    ],
)
def test_json_and_csv_by_the_same_query(stage: Stage, query: str, expected: list[str]) -> None:
    path = stage.home.ledger_db
    if not path.exists():
        ledger = Ledger(path)
        ledger.commit([session(number, 19 + number) for number in (1, 2, 3)], [], [])
        ledger.close()
    found = stage.get(f"/api/v1/sessions?{query}").json
    assert [one["session_id"] for one in found] == expected
    text = stage.get(f"/api/v1/sessions.csv?{query}").body.decode()
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(text))] == expected


def test_a_spreadsheet_runs_no_text() -> None:
    (row,) = csv.DictReader(io.StringIO(as_csv([{"session_id": "s", "reason": "=cmd()"}])))
    assert row["reason"] == "'=cmd()"
