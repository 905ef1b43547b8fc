"""No step but apt's and --system's needs root: the whole of it runs as somebody else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from tests.install.helpers import AS_NOBODY
from tests.system_under_test import ROOT, System

SCRIPT = """
set -e
evcs tls init
evcs up --wait
evcs-cp create CP-001 CP-002
evcs driver add ALICE
evcs-driver charge CP-001 --driver ALICE --kwh 0.5
evcs-cp revoke CP-002
evcs-cp rekey CP-002
kill -9 "$(supervisorctl pid central)"
evcs backup "$EVCS_HOME/../one.backup"
evcs restart
evcs status --check
evcs doctor
evcs crashtest --hosts 2 || test $? = 9
grep -E '^(Uid|CapEff)' "/proc/$(cat "$EVCS_HOME/run/supervisord.pid")/status"
evcs down
"""


def test_as_nobody(new_system: Callable[..., System]) -> None:
    system = new_system()
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf" / "evcs.toml").write_text('[mqtt]\ntls = "always"\n')
    path = f"{ROOT / 'bin'}:{system.env['PATH']}"
    command = [*AS_NOBODY, "bash", "-c", SCRIPT]
    done = subprocess.run(
        command, env={**system.env, "PATH": path}, capture_output=True, text=True, timeout=120,
        cwd=system.home, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "ticket" in done.stdout
    assert "all as desired: 2 CPs" in done.stdout + done.stderr
    assert "network namespaces are made by root alone" in done.stderr
    assert "CapEff:\t0000000000000000" in done.stdout
    assert "Uid:\t0\t" not in done.stdout
    assert not system.stray_pids()
