"""G8: the ledger's file is removed, while the system runs and while Central doesn't."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.faults.charging import begin, metered, session, ticket
from tests.system_under_test import System, eventually


def _remove(data: Path) -> None:
    for path in data.glob("ledger.db*"):
        path.unlink()


def test_a_ledger_that_is_gone_is_noticed_and_no_wh_is_lost(
    new_system: Callable[..., System],
) -> None:
    system = new_system(time_scale=60.0)
    system.up()
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    data, log = system.home / "data", system.home / "log" / "central.log"
    first = ticket(system, begin(system, "CP-001", "ALICE", "0.5"))

    # While Central runs it has all of it still open.
    _remove(data)
    eventually("it is written back", lambda: "use; written back" in log.read_text(), 20)
    assert session(system, first["session_id"]) == first

    # Gone while Central is away: it does not begin anew, and everybody says so.
    under_way = begin(system, "CP-001", "ALICE", "20")
    central = system.processes()["central"]
    os.kill(central, signal.SIGSTOP)
    _remove(data)
    os.kill(central, signal.SIGKILL)
    eventually("it refuses", lambda: "ledger.db is gone" in log.read_text(), 20)
    assert "Traceback" not in log.read_text()
    assert not (data / "ledger.db").exists()
    looked = system.run("evcs", "doctor", "--json")
    (found,) = (one for one in looked.json["checks"] if one["check"] == "ledger")
    assert (looked.code, found["level"], "is gone" in found["text"]) == (1, "fail", True)
    for command in (("sessions",), ("backup", str(system.home / "x.backup"))):
        done = system.run("evcs", *command)
        assert (done.code, "is gone" in done.err) == (1, True), done
    system.ok("evcs", "down")
    done = system.run("evcs", "up")
    assert (done.code, len(done.err.splitlines())) == (1, 1), done
    assert "evcs restore" in done.err
    assert not system.stray_pids()

    # Who accepts the loss says so; what the Engine holds is settled, without a driver.
    (data / "ledger.mark").unlink()
    system.up()
    eventually("its ticket", lambda: system.ok("evcs", "sessions", "--json").json, 30, every_s=0.5)
    (found,) = system.ok("evcs", "sessions", "--json").json
    assert found["energy_wh"] == metered(system, "CP-001")[under_way] > 0
    assert [found[key] for key in ("session_id", "driver", "state", "reason")] == [
        under_way, None, "settled", "unknown_session",
    ]  # fmt: skip
    ticket(system, begin(system, "CP-001", "ALICE", "0.3"))
    system.down()
