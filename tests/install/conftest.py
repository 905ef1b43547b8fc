from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.install.helpers import clone, copy_sources, environment, run

EARLIER = "0.0.9"


class FirstUse(NamedTuple):
    """A tree in which two commands were given at once, before anything was installed."""

    tree: Path
    outcomes: list[tuple[int, str, str]]


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to look at and to install from: tests that write take a copy."""
    return copy_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def first_use(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> FirstUse:
    tree = clone(sources, tmp_path_factory.mktemp("first") / "tree")
    # What an installation that was killed leaves behind.
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to("/nowhere/python3")
    commands = [
        subprocess.Popen(
            [tree / "bin" / "supervisorctl", "--help"],
            env=environment(PIP_NO_COMPILE="1"),  # to compile is work for nobody here
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outcomes = []
    for command in commands:
        stdout, stderr = command.communicate()
        outcomes.append((command.returncode, stdout, stderr))
    return FirstUse(tree, outcomes)


@pytest.fixture
def tree(first_use: FirstUse, tmp_path: Path) -> Path:
    """A checkout with its .venv, to do with as a test likes."""
    return clone(first_use.tree, tmp_path / "tree")


@pytest.fixture(scope="session")
def staged_once(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("staged") / "root"
    done = run(sources / "install.sh", "--system", DESTDIR=str(target))
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def staged(staged_once: Path, tmp_path: Path) -> Path:
    """A whole machine's folders with evcs in them, to do with as a test likes."""
    return clone(staged_once, tmp_path / "root")


@pytest.fixture
def earlier(staged: Path, sources: Path, tmp_path: Path) -> Path:
    """A whole machine's folders with an earlier version in them."""
    old = clone(sources, tmp_path / "earlier")
    (old / "evcs" / "__init__.py").write_text(f'"""evcs."""\n\n__version__ = "{EARLIER}"\n')
    done = run(old / "install.sh", "--system", DESTDIR=str(staged))
    assert done.returncode == 0, done.stderr
    return staged
