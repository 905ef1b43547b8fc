"""Whether this machine lets tests make network namespaces."""

from __future__ import annotations

import os
import shutil


def why_left_out() -> str:
    """What is missing; "" where nothing is."""
    if os.geteuid() != 0:
        return "tests/hosts makes network namespaces, which root alone may"
    return "" if shutil.which("ip") else "tests/hosts needs ip, of iproute2"
