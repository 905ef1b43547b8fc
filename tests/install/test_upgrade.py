"""install.sh --system over an earlier version whose system runs, but for systemd itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evcs import __version__
from tests.faults.charging import begin, metered, session, ticket
from tests.install.conftest import EARLIER
from tests.install.helpers import run
from tests.system_under_test import System, eventually


@pytest.fixture
def installed(earlier: Path, new_system: Callable[..., System]) -> Iterator[System]:
    """Its system, which runs in a home that lies elsewhere, as /var/lib/evcs does."""
    system = new_system(commands=earlier / "opt" / "evcs" / "bin")
    system.up()
    yield system
    system.down()


def kept(system: System) -> dict[str, str]:
    """What an upgrade and its restart have to leave byte for byte."""
    top = system.home
    paths = [top / "data" / "registry.json", *(top / "data" / "secrets").rglob("*"),
             *(top / "conf" / "supervisord.d").glob("*.conf")]  # fmt: skip
    return {
        str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file()
    }


def versions(system: System) -> set[str]:
    told: dict[str, Any] = system.retained("evcs/v1/+/status")
    return {status["version"] for status in told.values()}


def test_data_and_sessions_outlive_an_upgrade_and_its_restart(
    installed: System, earlier: Path, sources: Path
) -> None:
    installed.ok("evcs-cp", "create", "CP-{001..002}", "--price-eur-kwh", "0.41")
    installed.ok("evcs-cp", "stop", "CP-002")
    installed.ok("evcs", "driver", "add", "ALICE")
    done = installed.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.2",
                        "--json").out.splitlines()  # fmt: skip
    assert done
    under_way = begin(installed, "CP-001", "ALICE")
    before = kept(installed)
    assert versions(installed) == {EARLIER}

    upgrade = run(sources / "install.sh", "--system", DESTDIR=str(earlier))
    assert upgrade.returncode == 0, upgrade.stderr
    assert kept(installed) == before
    at_upgrade = metered(installed, "CP-001")[under_way]
    eventually("it goes on beside it", lambda: metered(installed, "CP-001")[under_way] > at_upgrade)
    assert versions(installed) == {EARLIER}
    said = installed.ok("evcs", "status").err
    assert f"supervisord {EARLIER}" in said
    assert "run: evcs restart" in said
    restarted = installed.ok("evcs-cp", "restart", "CP-002").err
    assert f"supervisord {EARLIER}" in restarted
    assert "version=" + EARLIER in (installed.home / "log" / "CP-002.engine.log").read_text()

    before_restart = metered(installed, "CP-001")[under_way]
    installed.ok("evcs", "restart")
    assert versions(installed) == {__version__}
    assert "another version" not in installed.ok("evcs", "status").err
    assert kept(installed) == before
    assert installed.states() == {"CP-001": "SUPPLYING", "CP-002": "OUT_OF_ORDER"}
    # The CP counts as supplying once its Engine is there; the Engine then has to be told to go on.
    eventually("its Engine goes on", lambda: session(installed, under_way)["state"] == "active")
    eventually("it meters", lambda: metered(installed, "CP-001")[under_way] > before_restart)
    installed.ok("evcs-driver", "stop", "--driver", "ALICE")
    assert ticket(installed, under_way)["price_eur_kwh"] == "0.41"
    assert len(installed.ok("evcs", "sessions", "--json").json) == 2
