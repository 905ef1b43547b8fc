"""Fixtures: a real running system, one a module, and empty homes."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import distribution
from tests.hosts.allowed import why_left_out
from tests.system_under_test import System

# How long an example takes depends on what else runs; a test that hangs has its timeout.
hypothesis.settings.register_profile("evcs", deadline=None)
hypothesis.settings.load_profile("evcs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that at the end no worker is left alone with it."""
    items.sort(key=lambda item: distribution.rank(item.nodeid))


def pytest_collection_finish() -> None:
    """What is collected stays: to look through it after each module took half a minute in all."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Tests go to the workers by what they share."""
    config.option.loadscopereorder = False
    return distribution.BySharing(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a test recorded to be seen, as the benchmarks' tables; what was left out."""
    if why := why_left_out():
        terminalreporter.write_line(f"LEFT OUT, several hosts: {why}", red=True, bold=True)
    for report in terminalreporter.stats.get("passed", []):
        for name, text in getattr(report, "user_properties", []):
            if name == "print":
                terminalreporter.write_line(text)


#: What a module's tests may leave open. paho's clients wait by `select`, which ends at 1,024.
MAY_STAY_OPEN = 64


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(scope="module", autouse=True)
def descriptors_are_given_back() -> Iterator[None]:
    """Else a worker comes to where no client hears anything, and others' tests fail for it."""
    before = _descriptors()
    yield
    gc.collect()
    assert _descriptors() < before + MAY_STAY_OPEN, "what was opened is to be closed"


@pytest.fixture(scope="session")
def short_tmp() -> Iterator[Path]:
    """A folder whose path is short enough for unix sockets."""
    path = Path(tempfile.mkdtemp(prefix="evcs-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def new_system(short_tmp: Path) -> Iterator[Callable[..., System]]:
    """Makes systems that are not started yet; each is stopped at the end of the module.

    Whatever was done to it, no process of it met what it doesn't know.
    """
    made: list[System] = []

    def make(**kwargs: Any) -> System:
        home = Path(tempfile.mkdtemp(dir=short_tmp, prefix="h"))
        home.rmdir()
        made.append(System(home, **kwargs))
        return made[-1]

    yield make
    for system in made:
        system.down()
    assert {str(system.home): found for system in made if (found := system.tracebacks())} == {}


@pytest.fixture(scope="module")
def system(new_system: Callable[..., System]) -> System:
    """A started, empty system, shared by a module's tests."""
    made = new_system()
    made.up()
    return made
