"""`evcs crashtest`, small: every Wh that is metered is on exactly one ticket."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from evcs.cli.crashtest import rounds
from tests.system_under_test import ROOT


def _run(*args: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [str(ROOT / "bin" / "evcs"), "crashtest", *args, "--json"],
        capture_output=True, text=True, timeout=170, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def test_the_books_balance() -> None:
    code, found, err = _run("--seed", "3", "--rounds", "10", "--cps", "3")
    assert code == 0, (found, err)
    assert found["sessions"] >= 3
    assert found["metered_wh"] == found["ticket_wh"] > 0
    assert (found["open_sessions"], found["double_tickets"], found["wrong"]) == (0, 0, [])
    assert [row["ok"] for row in found["rounds"]] == [True] * 10


def test_the_same_seed_gives_the_same_faults() -> None:
    cps = ["CP-001", "CP-002"]
    assert rounds(7, 40, cps) == rounds(7, 40, cps)
    assert rounds(7, 40, cps) != rounds(8, 40, cps)
