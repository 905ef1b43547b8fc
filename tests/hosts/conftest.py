"""Machines for the tests of several hosts; where none can be made they are left out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.allowed import why_left_out
from tests.hosts.network import Network, network

#: tests/conftest.py says so at the end.
collect_ignore_glob = ["test_*.py"] if why_left_out() else []


@pytest.fixture(scope="module")
def machines() -> Iterator[Network]:
    """A centre that does not run yet, on a wire of its own."""
    folder = Path(tempfile.mkdtemp(prefix="evcsh", dir="/tmp"))
    try:
        with network(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
