"""Machines for the tests of several hosts; who may not make namespaces hears what is left out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.network import Network, network


def _why_not() -> str:
    if os.geteuid() != 0:
        return "these tests make network namespaces, which root alone may"
    return "" if shutil.which("ip") else "these tests need ip, of iproute2"


@pytest.fixture(scope="module")
def machines() -> Iterator[Network]:
    """A centre that does not run yet, on a wire of its own."""
    if why := _why_not():
        pytest.fail(f"LEFT OUT: {why}; deselect them with: --ignore tests/hosts")
    folder = Path(tempfile.mkdtemp(prefix="evcsh", dir="/tmp"))
    try:
        with network(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
