"""What a CP's processes are made of: the standard library, paho and evcs, and of those little."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters.account import Account
from evcs.adapters.bus_thread import BusThread
from evcs.core import messages as m
from evcs.core import ports, topics
from evcs.home import Home
from tests.adapters.broker import Broker
from tests.system_under_test import eventually

NEVER = [
    "asyncio", "bottle", "click", "cryptography", "decimal", "gevent", "multiprocessing",
    "pydantic", "requests", "rich", "sqlite3", "supervisor", "tinydb", "tomllib",
    "typing_extensions", "unittest", "xmlrpc",
]  # fmt: skip

RUN = """
import json, os, runpy, signal, sys

def report(*_):
    path = f"/proc/{os.getpid()}/smaps_rollup"
    with open(path) as rollup:
        pss = [line.split()[1] for line in rollup if line.startswith("Pss:")]
    threads = len(os.listdir(f"/proc/{os.getpid()}/task"))
    found = {"modules": sorted(sys.modules), "pss_kib": int(pss[0]), "threads": threads}
    print(json.dumps(found), flush=True)

os.chdir(os.environ["EVCS_HOME"])
signal.signal(signal.SIGUSR1, report)
sys.argv[2:] = ["CP-001"]
runpy.run_module("evcs", run_name="__main__")
"""


@pytest.mark.parametrize("role", ["engine", "monitor"])
def test_a_running_cp_process_is_light(
    role: str, broker: Broker, home: Home, child: Callable[..., subprocess.Popen[str]]
) -> None:
    secret = home.secret(f"cp/CP-001/{role}")
    secret.parent.mkdir(parents=True)
    secret.write_text("a")
    broker.accounts({"inspector": "look", f"cp/CP-001/{role}": "a"})
    seen: list[Any] = []
    kind = m.EngineStatus if role == "engine" else m.MonitorStatus
    look = Account(broker.socket, "inspector", lambda: "look")
    with BusThread(look, seen.append, [topics.filter_for(kind)]):
        process = child(RUN, role, EVCS_HOME=str(home.path), EVCS_MQTT_PORT=str(broker.port))
        eventually("it is on the bus", lambda: [e for e in seen if isinstance(e, ports.Received)])
    process.send_signal(signal.SIGUSR1)
    assert process.stdout is not None
    found = json.loads(next(line for line in process.stdout if line.startswith("{")))
    modules = set(found["modules"])
    sys.stdout.write(f"{role}: {len(modules)} modules, {found['pss_kib']} KiB\n")
    assert not modules & set(NEVER)
    assert found["threads"] == 1
    top = {name.partition(".")[0] for name in modules}
    ours = {"evcs", "paho", "__main__", "__mp_main__"}
    # Debian's Python brings a sitecustomize along.
    foreign = top - set(sys.stdlib_module_names) - ours - {"sitecustomize"}
    assert not {name for name in foreign if not name.startswith("_")}


def test_evcs_itself_brings_no_more_than_its_core_into_a_cp_process() -> None:
    code = "import sys, evcs.services.engine, evcs.services.monitor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    ours = {name for name in done.stdout.split() if name.startswith("evcs.")}
    assert {name for name in ours if name.startswith("evcs.cli")} == set()
    assert not ours & {"evcs.adapters.registry_db", "evcs.adapters.ledger",
                       "evcs.adapters.supervisord", "evcs.services.http",
                       "evcs.services.central", "evcs.services.registry"}  # fmt: skip


def test_what_forks_has_loaded_all_that_a_cp_is_made_of() -> None:
    """Whatever stands in the files later, after an upgrade: also of CPs that are not there yet."""
    code = """
import sys
from types import SimpleNamespace
from evcs.adapters import supervisord_server
from evcs.bootstrap.supervisord import run_supervisord
supervisord_server.main = lambda *_: print(*sys.modules)
run_supervisord(SimpleNamespace(cp_start="fork", is_joined=False, services=()), (), (), print)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert {"evcs.bootstrap.engine", "evcs.bootstrap.station"} <= set(done.stdout.split())
