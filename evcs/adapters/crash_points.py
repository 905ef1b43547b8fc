"""Named steps at which a service ends itself, so that a test can walk through each of them.

EVCS_CRASH_AT=registry.committed ends the process there with 137, as kill -9 would; with
a number after a colon (registry.committed:3), at the third time it gets there.
"""

from __future__ import annotations

import os

from evcs.config import crash_at

_name, _, _count = crash_at().partition(":")
_left = iter(range(int(_count or 1) - 1))


def crash_point(name: str) -> None:
    """End here, if this is the named step."""
    if name == _name and next(_left, None) is None:
        os._exit(137)
