"""`evcs crashtest --hosts`, small: lines cut, machines without power, moves; the books balance."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.system_under_test import ROOT


@pytest.mark.timeout(400)
def test_over_three_machines_every_wh_is_on_one_ticket() -> None:
    words = "--hosts 2 --seed 1456 --rounds 4 --cps 3 --hosting mixed --json"
    done = subprocess.run(
        [str(ROOT / "bin" / "evcs"), "crashtest", *words.split()],
        capture_output=True, text=True, timeout=380, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    found = json.loads(done.stdout)
    assert found["metered_wh"] == found["ticket_wh"] > 0
    assert (found["open_sessions"], found["double_tickets"], found["wrong"]) == (0, 0, [])
    assert found["two_engines"] == []
    faults = {row["fault"] for row in found["rounds"]}
    assert faults == {"cut a line", "power cut of one", "move, line cut", "move, power cut"}
    assert found["power"]["over"] == []
