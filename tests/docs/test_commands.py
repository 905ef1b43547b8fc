"""The commands of the documentation do what it says, on a real system."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_server import command_server
from tests.docs import pages
from tests.docs.pages import Step
from tests.system_under_test import ROOT, System

WITH_COMMANDS = [page for page in pages.PAGES if pages.steps(page)]
STOPPED_BY_US = 124
#: A command of ours in which, but for what is quoted, there is nothing of a shell's.
PLAIN = re.compile(r"bin/(evcs|evcs-cp|evcs-driver)( [\w./:=,-]+)*")
QUOTED = re.compile(r""" *(?:'[^']*'|"[^"$`\\]*")""")

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
    launched = set[str]()
    for step in pages.steps(page):
        program = step.command.partition(" ")[0]
        if program in launched and is_plain(step):
            code, out = run_loaded(step, system, tmp_path)
        else:
            code, out = run(step, system, tmp_path)
            launched.add(program)
        shown = f"{page.name}: $ {step.command}\n{out}"
        expected = {0, STOPPED_BY_US} if step.for_s else {0}
        assert code in expected, shown
        assert not step.expected or fits(step.expected, out), shown
    system.down()


def is_plain(step: Step) -> bool:
    return not step.for_s and PLAIN.fullmatch(QUOTED.sub("", step.command)) is not None


def run_loaded(step: Step, system: System, folder: Path) -> tuple[int, str]:
    """The same as `run` for a plain command, without a shell, a launcher and a new Python."""
    program, *args = shlex.split(step.command)
    env = {**system.env, "PYTHONPATH": str(ROOT), "EVCS_TYPED": "bin/"}
    served = command_server()
    done = served.run(Path(program).name, tuple(args), env, folder, 120, together=True)
    return done.code, done.out


def run(step: Step, system: System, folder: Path) -> tuple[int, str]:
    """Run a command as a reader would: its end, standard output and error together."""
    command = ["bash", "-c", step.command]
    if step.for_s:
        command = ["timeout", str(step.for_s), *command]
    done = subprocess.run(
        command, cwd=folder, env=system.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


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


def test_what_is_plain():
    def step(command: str) -> Step:
        return Step(command, [], None)

    for command in ("bin/evcs up --wait", "bin/evcs-cp create 'CP-{1..4}' --location \"Car park\""):
        assert is_plain(step(command))
    for command in ("bin/evcs-cp export > f", "bin/evcs log $A", "cat f", "A=1 bin/evcs up",
                    'bin/evcs log "$A"', "bin/evcs-cp show CP-*", "bin/evcs up && ls"):  # fmt: skip
        assert not is_plain(step(command))


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
