"""The commands in bin/."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.install.conftest import FirstUse
from tests.install.helpers import environment, run

COMMANDS = ["evcs", "evcs-cp", "evcs-driver", "supervisorctl"]


@pytest.mark.parametrize("command", COMMANDS)
def test_from_any_folder_and_through_links(
    first_use: FirstUse, tmp_path: Path, command: str
) -> None:
    (tmp_path / "link").symlink_to(first_use.tree / "bin" / command)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / command).symlink_to("../link")
    for script in (first_use.tree / "bin" / command, tmp_path / "bin" / command):
        done = run(script, "--help", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "usage" in done.stdout.lower()


def test_by_a_relative_path(first_use: FirstUse) -> None:
    assert run("bash", "bin/supervisorctl", "--help", cwd=first_use.tree).returncode == 0


def test_with_a_nearly_empty_environment(first_use: FirstUse) -> None:
    command = first_use.tree / "bin" / "supervisorctl"
    done = run("env", "-i", "PATH=/usr/bin:/bin", command, "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_lies_where_the_caller_stands_is_not_imported(
    first_use: FirstUse, tmp_path: Path
) -> None:
    for name in ("evcs", "supervisor"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported')\n")
    for command in COMMANDS:
        done = run(first_use.tree / "bin" / command, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_moved_checkout_works(tree: Path) -> None:
    moved = tree.rename(tree.with_name("moved here"))
    done = run(moved / "bin" / "supervisorctl", "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_supervisorctl_is_pointed_at_the_home(tree: Path, tmp_path: Path) -> None:
    here = run(tree / "bin" / "supervisorctl", "status")
    assert f"{tree}/run/supervisor.sock" in here.stdout
    home = tmp_path / "home"
    there = run(tree / "bin" / "supervisorctl", "status", EVCS_HOME=str(home))
    assert f"{home}/conf/supervisord.conf" in there.stdout + there.stderr


def test_exit_codes_come_through(tree: Path) -> None:
    assert run(tree / "bin" / "supervisorctl", "--no-such-flag").returncode == 2


def test_a_launcher_becomes_its_program(first_use: FirstUse) -> None:
    """No shell stays in between: a signal to the command reaches the program."""
    shell = subprocess.Popen(
        [first_use.tree / "bin" / "supervisorctl"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert shell.stdout
    said = b""
    while not said.endswith(b"supervisor> "):
        said += (more := shell.stdout.read(1))
        assert more, said
    program = Path(f"/proc/{shell.pid}/cmdline").read_bytes().split(b"\0")[0]
    shell.communicate(b"exit\n")
    assert program == bytes(first_use.tree / ".venv/bin/python")


def test_every_command_is_executable(sources: Path) -> None:
    for name in [*(f"bin/{command}" for command in COMMANDS), "bin/check", "install.sh"]:
        assert os.access(sources / name, os.X_OK), name
