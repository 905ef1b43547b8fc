"""What logs tell, in the ledger: all that is ok, of a flood of refusals a few and a number."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from evcs.adapters import audit_lines
from evcs.adapters.followed_log import FollowedLog
from evcs.adapters.ledger import Ledger, LedgerReader
from evcs.services.central.auditor import MOST_A_LOOK, Auditor
from evcs.services.central.outbox import Outbox
from tests.unit.fakes import FakeBus

LINE = "2026-11-22T12:23:37.{:03d}Z WARNING web audit who={} what=login outcome={} x\n"


def look(folder: Path) -> list[dict[str, Any]]:
    """What a Central that starts now makes of the log; the ledger's entries, the oldest first."""
    ledger, bus = Ledger(folder / "ledger.db"), FakeBus()
    outbox = Outbox(ledger, bus)  # type: ignore[arg-type]
    logs = {"web_log": partial(FollowedLog, folder / "web.log", audit_lines.take)}
    auditor = Auditor(outbox, ledger.noted(), logs)
    auditor.look()
    outbox.flush()
    ledger.close()
    return LedgerReader(folder / "ledger.db").audit()[::-1]


def test_a_flood(tmp_path: Path) -> None:
    lines = [LINE.format(n, f"a{n}", "ok" if n % 2 else "refused") for n in range(200)]
    (tmp_path / "web.log").write_text("".join(lines))
    found = look(tmp_path)
    assert [one["who"] for one in found if one["outcome"] == "ok"] == [
        f"a{n}" for n in range(1, 200, 2)
    ]
    refused = [one for one in found if one["outcome"] == "refused"]
    assert len(refused) == MOST_A_LOOK + 1
    assert (refused[-1]["who"], refused[-1]["detail"]) == ("a198", "and 50 more")
    assert look(tmp_path) == found, "nothing is told twice"
