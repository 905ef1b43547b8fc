"""`evcs crashtest`, small: every Wh metered is on exactly one ticket, no circuit has too much."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from evcs.cli.trial_faults import rounds
from tests.system_under_test import ROOT


def _run(*args: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [str(ROOT / "bin" / "evcs"), "crashtest", *args, "--json"],
        capture_output=True, text=True, timeout=170, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def test_the_books_balance() -> None:
    code, found, err = _run("--seed", "20812", "--rounds", "8", "--cps", "3")
    assert code == 0, (found, err)
    assert found["sessions"] >= 3
    assert found["metered_wh"] == found["ticket_wh"] > 0
    assert (found["open_sessions"], found["double_tickets"], found["wrong"]) == (0, 0, [])
    assert [row["ok"] for row in found["rounds"]] == [True] * 8
    done = {row["fault"] for row in found["rounds"]}
    assert {"edit a circuit", "house takes more or less"} < done
    power = found["power"]
    assert power["over"] == []
    assert power["readings"] > 8  # each charge says one a second
    assert 4_140 < power["most_w"]["GARAGE"] <= 16_000
    assert power["most_w"]["GARAGE"] < power["most_w"]["SITE"] <= 29_000


def test_the_same_seed_gives_the_same_faults() -> None:
    drawn = [rounds(seed, 40, ["CP-001", "CP-002"], ["SITE", "GARAGE"]) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]
