"""The commands of the documentation do what it says, on a real system."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.pages import Step
from tests.system_under_test import ROOT, System

WITH_COMMANDS = [page for page in pages.PAGES if pages.steps(page)]
STOPPED_BY_US = 124

#: Pages that begin with a system that runs already, and what was done in it.
BEFORE = {"topics.md": [], "security.md": [("evcs-cp", "create", "CP-002")]}

#: Commands of the pages that are not run as they stand, by how they begin.
NOT_RUN = {
    "bin/check": "these tests",
    "bin/evcs-cp create WALLBOX": "tests/ocpp",
    "bin/evcs-cp connect WALLBOX": "tests/ocpp",
    "bin/evcs-cp create OUT-001": "tests/ocpp/test_back_ends.py",
    "bin/evcs-cp present OUT-001": "tests/ocpp/test_back_ends.py",
    "bin/evcs-cp backend OUT-001": "tests/ocpp/test_back_ends.py",
    **dict.fromkeys(
        (
            "python3 -m venv /tmp/back-end",
            "/tmp/back-end/bin/",
            "npm install --prefix /tmp/back-end",
            "NODE_PATH=/tmp/back-end",
            "bin/evcs up --wait",
            "bin/evcs-cp create 'OUT-",
            "bin/evcs-cp list 'OUT-",
            "bin/evcs-cp plug 'OUT-",
            "bin/evcs-cp kill OUT-001",
            "bin/evcs-cp unplug 'OUT-",
            "awk ",
            "bin/evcs sessions --state settled --json",
        ),
        "tests/ocpp/test_load_testing.py",
    ),
    "bin/evcs driver tag": "tests/ocpp",
    "bin/evcs watch --ocpp": "tests/ocpp",
    "bin/evcs tls init": "tests/security/test_tls.py",
    "bin/evcs host add": "tests/hosts, which have another machine",
    "bin/evcs join": "tests/hosts",
    "bin/evcs-cp create 'H2-{001..100}'": "tests/hosts",
    "bin/evcs restart": "tests/system/test_restart.py",
    "bin/evcs circuit": "docs/power.md",
    "bin/evcs-cp edit WALLBOX": "tests/ocpp",
    "bin/evcs demo": "tests/system/test_demo.py",
    "export EVCS_HOME=": "each test has a home and ports of its own",
    'rm -r "$EVCS_HOME"': "that home",
    "source <(bin/evcs completion ": "tests/contract/test_streams.py, in each shell",
    "bin/evcs completion fish | source": "tests/contract/test_streams.py",
    "sudo ": "changes the machine; tests/install does it below a folder",
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_page(page: Path, new_system: Callable[..., System], tmp_path: Path):
    system = new_system()
    if page.name in BEFORE:
        system.up()
        for program, *arguments in BEFORE[page.name]:
            system.ok(program, *arguments)
    system.env["PATH"] = os.environ["PATH"]  # a reader types bin/evcs
    (tmp_path / "bin").symlink_to(ROOT / "bin")
    for step in pages.steps(page):
        done = run(step, system, tmp_path)
        shown = f"{page.name}: $ {step.command}\n{done.stdout}"
        expected = {0, STOPPED_BY_US} if step.for_s else {0}
        assert done.returncode in expected, shown
        assert not step.expected or fits(step.expected, done.stdout), shown
    system.down()


def run(step: Step, system: System, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, standard output and error together."""
    command = ["bash", "-c", step.command]
    if step.for_s:
        command = ["timeout", str(step.for_s), *command]
    return subprocess.run(
        command, cwd=folder, env=system.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def fits(expected: list[str], output: str) -> bool:
    """Whether output is as expected; `...` is anything in a line, alone any lines."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        else:
            parts = (re.escape(part) for part in line.rstrip().split("..."))
            pattern += ".*".join(parts) + r"[ ]*\n"
    return re.fullmatch(pattern, output if output.endswith("\n") else output + "\n") is not None


def test_fits():
    assert fits(["a ... c", "...", "e"], "a b c\nd\nd\ne\n")
    assert fits(["...", "b"], "b\n")
    assert not fits(["a", "b"], "a\n")
    assert not fits(["a"], "a\nb\n")
    assert not fits(["a...c"], "a\nc\n")


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_what_is_not_run_has_a_reason(page: Path):
    for kind, body, mark in pages.blocks(page):
        if mark is None and kind in ("sh", "console"):
            for line in textwrap.dedent(body).splitlines():
                assert line.startswith(tuple(NOT_RUN)), f"neither run nor explained: {line}"
