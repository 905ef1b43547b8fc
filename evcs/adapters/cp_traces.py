"""What a CP leaves in its home: journal, socket, locks, logs."""

from __future__ import annotations

from evcs.core import sections
from evcs.home import Home


def remove(home: Home, cp: str) -> None:
    """Remove them; what is absent is well. May raise OSError."""
    home.journal(cp).unlink(missing_ok=True)
    home.engine_socket(cp).unlink(missing_ok=True)
    for role in sections.ROLES:
        home.lock(f"{cp}.{role}").unlink(missing_ok=True)
        for path in home.log.glob(f"{cp}.{role}.log*"):
            path.unlink(missing_ok=True)
