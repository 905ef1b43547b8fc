"""What Engines metered, whichever their hosting."""

from __future__ import annotations

import pytest

from evcs.adapters.journal import Journal
from evcs.adapters.log import NamedLog
from evcs.adapters.metered import metered
from evcs.adapters.pool_journal import PoolJournals
from evcs.core import supply
from evcs.core.supply import Supply
from evcs.home import Home


def record(session_id: str, energy_wh: int) -> dict[str, object]:
    """What an Engine holds."""
    return supply.to_record(Supply("supplying", session_id, 1, energy_wh, 20_000, 22_000))


def test_all_places_and_logs_count(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert metered(home) == {}
    own = Journal(home.journal("CP-1"))
    for energy_wh in (1, 7, 5):
        own.append(record("S1", energy_wh), sync=False)
    own.append(supply.to_record(Supply()), sync=False)
    pool = PoolJournals(home.pool_journal("_pool-1"), lambda call: call(), NamedLog("pool"))
    pool.of("CP-2").append(record("S2", 9), sync=True)
    pool.of("CP-3").append(record("S3", 9), sync=True)
    text = "session=%s energy_wh=%d %s %s"
    NamedLog("CP-3 engine").info(text, "S3", 11, "ended", "completed")
    NamedLog("CP-4 engine").info(text, "S4", 12, "ended", "driver")
    NamedLog("CP-4 engine").info(text, "S4", 12, "idle", "")
    (home.log / "_pool-1.engines.log.1").write_text(capsys.readouterr().out)
    NamedLog("CP-1 engine").info(text, "S5", 13, "ended", "fault")
    (home.log / "CP-1.engine.log").write_text(capsys.readouterr().out)
    assert metered(home) == {"S1": 7, "S2": 9, "S3": 11, "S4": 12, "S5": 13}
