"""Named steps at which a service ends itself, or a CP's code fails: a test walks through each.

EVCS_CRASH_AT=registry.committed ends the process there with 137, as kill -9 would; with
a number after a colon (registry.committed:3), at the third time it gets there. With
EVCS_CRASH_AT=@FILE the name is read from that file, which is removed first: so a running
system is armed for one crash, and comes back unarmed.

A CP's code fails for as long as the file has its step among its words: engine.tick:CP-001 raises,
engine.tick:CP-001! never returns.
"""

from __future__ import annotations

import os
import time
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
        if name in _words(_file):
            _file.unlink()
            os._exit(137)
    elif name == _name and next(_left, None) is None:
        os._exit(137)


def fail_point(step: str, cp: str) -> None:
    """Fail here as a mistake in the CP's code would, if this is a named step."""
    if _file is None:
        return
    named, name = _words(_file), f"{step}:{cp}"
    while f"{name}!" in named:
        time.sleep(1.0)
    if name in named:
        raise RuntimeError(f"fail point {name}")


def _words(path: Path) -> list[str]:
    """What the file names; another process may just have removed it."""
    try:
        return path.read_text().split()
    except FileNotFoundError:
        return []
