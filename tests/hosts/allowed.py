"""Whether this machine lets tests make network namespaces."""

from __future__ import annotations

from evcs.adapters import network_namespaces


def why_left_out() -> str:
    """What is missing; "" where nothing is."""
    return network_namespaces.why_not()
