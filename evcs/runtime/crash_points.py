"""Named steps at which a service ends itself, so that a test can walk through each of them.

EVCS_CRASH_AT=registry.committed ends the process there with 137, as kill -9 would; with
a number after a colon (registry.committed:3), at the third time it gets there. With
EVCS_CRASH_AT=@FILE the name is read from that file, which is removed first: so a running
system is armed for one crash, and comes back unarmed.
"""

from __future__ import annotations

import os
from pathlib import Path

from evcs.config import crash_at

_named = crash_at()
_file = Path(_named[1:]) if _named.startswith("@") else None
_name, _, _count = _named.partition(":")
_left = iter(range(int(_count or 1) - 1))


def crash_point(name: str) -> None:
    """End here, if this is the named step."""
    if not _named:
        return
    if _file is not None:
        if _file.exists() and _file.read_text().strip() == name:
            _file.unlink()
            os._exit(137)
    elif name == _name and next(_left, None) is None:
        os._exit(137)
