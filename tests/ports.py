"""Free TCP ports for a test, which another worker's program does not take while nobody listens."""

from __future__ import annotations

import os

from evcs.cli import tcp_ports


def free(count: int) -> list[int]:
    """So many, of this worker's part of them."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return tcp_ports.free(count, tcp_ports.candidates(worker, workers))
