"""install.sh --system on a machine that joins a centre, but for systemd itself; its upgrade."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcs import __version__
from tests import ports
from tests.faults.charging import metered, session
from tests.install.conftest import EARLIER
from tests.install.helpers import AS_NOBODY, run
from tests.system_under_test import ROOT, Done, System, eventually

ADDRESS = "127.0.0.2"


@pytest.fixture
def centre(new_system: Callable[..., System]) -> System:
    made = new_system()
    (made.home / "conf").mkdir(parents=True)
    (made.home / "conf" / "evcs.toml").write_text(
        f'[mqtt]\nlisten = "{ADDRESS}"\ntls_port = {ports.free(1)[0]}\n'
        f'[http]\nlisten = "{ADDRESS}"\n'
    )
    made.ok("evcs", "tls", "init")
    made.up()
    made.ok("evcs", "driver", "add", "ALICE")
    return made


@pytest.fixture
def h2(new_system: Callable[..., System], earlier: Path) -> System:
    """A machine with an earlier version that has not joined; its settings are the join's."""
    made = new_system(commands=earlier / "opt" / "evcs" / "bin")
    made.env = {name: made.env[name] for name in ("PATH", "HOME", "LANG", "EVCS_HOME")}
    made.env["EVCS_TIME_SCALE"] = "60"
    return made


def join(h2: System, path: Path) -> Done:
    """As root does, whose file the home's owner may not read."""
    script = '"$0" join - --no-start <"$1"'
    settings = (f"{name}={value}" for name, value in h2.env.items())
    done = run("env", *settings, "bash", "-c", script, h2.commands / "evcs", path)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_join_file_that_evcs_may_not_read_is_handed_to_it(short_tmp: Path) -> None:
    path = short_tmp / "h2.join"
    path.write_text("{}")
    path.chmod(0)
    done = run(*AS_NOBODY, ROOT / "bin" / "evcs", "join", path, EVCS_HOME=str(short_tmp / "no"))
    assert (done.returncode, f"evcs join - < {path}" in done.stderr) == (9, True), done


def speaks(tree: Path, number: int) -> None:
    """Have an installed evcs speak so with its centre, or its hosts."""
    path = tree / "opt" / "evcs" / "evcs" / "core" / "hosts.py"
    text, count = re.subn(r"(?m)^FORMAT = \d+$", f"FORMAT = {number}", path.read_text())
    assert count == 1
    later = path.stat().st_mtime + 10
    path.write_text(text)
    os.utime(path, (later, later))  # what is compiled is known by its second


def checks(system: System) -> dict[str, Any]:
    done = system.run("evcs", "doctor", "--json")
    return {one["check"]: one for one in done.json["checks"]}


def version_told(centre: System) -> str | None:
    rows = centre.ok("evcs", "host", "list", "--json").json
    return next(one["version"] for one in rows if one["name"] == "h2")


def test_a_host_that_is_behind_works_until_it_is_not_understood_and_is_upgraded_in_place(
    centre: System, h2: System, earlier: Path, sources: Path
) -> None:
    path = centre.home / "h2.join"
    centre.ok("evcs", "host", "add", "h2", "--file", str(path))
    for number, where in ((0, "on h2"), (9, "at the centre")):
        speaks(earlier, number)
        done = join(h2, path)
        said = f"host h2 is of format '{number}', its centre of 1; upgrade evcs {where}"
        assert (done.code, said in done.err) == (5, True), done
        assert not (h2.home / "data" / "tls" / "ca.crt").exists()
    speaks(earlier, 1)
    assert join(h2, path).code == 0, "it has not been used up"

    unit = h2.spawn("evcs", "up", "--foreground")
    eventually("an earlier version is there", lambda: version_told(centre) == EARLIER)
    centre.ok("evcs-cp", "create", "CP-001", "--host", "h2")
    found = checks(centre)["hosts"]
    assert (found["level"], found["remedy"]) == ("warn", "upgrade evcs there, then: evcs restart")
    found = checks(h2)["versions"]
    assert (found["level"], found["remedy"]) == ("warn", "upgrade evcs here, then: evcs restart")
    begun = centre.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "20",
                      "--no-watch", "--json").json["session_id"]  # fmt: skip

    speaks(earlier, 0)
    h2.ok("evcs", "down")
    assert unit.wait(30) == 0
    h2.ok("evcs", "up")
    done = centre.run("evcs-cp", "create", "CP-002", "--host", "h2")
    said = "CP-002 can't be started: host h2 is of format '0', its centre of 1; upgrade evcs on h2"
    assert (done.code, said in done.err) == (1, True), done
    found = checks(h2)["link"]
    assert (found["level"], "upgrade evcs on h2" in found["text"]) == ("fail", True)
    eventually("what runs goes on", lambda: session(centre, begun)["state"] == "active")

    upgrade = run(sources / "install.sh", "--system", DESTDIR=str(earlier))
    assert upgrade.returncode == 0, upgrade.stderr
    assert f"supervisord {EARLIER}" in h2.ok("evcs", "status").err
    found = checks(h2)["versions"]
    assert (found["level"], found["remedy"]) == ("warn", "evcs restart")
    before = metered(h2, "CP-001")[begun]
    h2.ok("evcs", "restart")
    eventually("the new one is there", lambda: version_told(centre) == __version__)
    centre.wait_for_state("CP-002", "ACTIVATED")
    eventually("it meters", lambda: metered(h2, "CP-001")[begun] > before)
    centre.ok("evcs-driver", "stop", "--driver", "ALICE")
    eventually("its ticket", lambda: session(centre, begun)["state"] == "settled")
    assert checks(centre)["hosts"]["level"] == "ok"
    assert checks(h2)["versions"]["text"] == f"evcs {__version__}, as at the centre"
    assert json.loads(h2.ok("evcs", "status", "--json").out)["host"] == "h2"
