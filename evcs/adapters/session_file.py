"""The operator's sessions on disk, so that a restart of web signs nobody out.

It holds no secret: of each session's id only a keyed hash, and when the session ends.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from evcs.adapters.files import write_atomic

_log = logging.getLogger("evcs")


class SessionFile:
    """Hash of a session's id -> when it ends, seconds of the epoch; the oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, int]:
        """What was written last; nothing where there is no such file or it can't be read."""
        try:
            found = json.loads(self._path.read_bytes())
            return {str(key): int(end) for key, end in found.items()}
        except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
            return {}

    def write(self, sessions: dict[str, int]) -> None:
        """Replace it. What can't be written is removed: an ended session must not come back."""
        try:
            write_atomic(self._path, json.dumps(sessions, indent=1).encode() + b"\n", 0o600)
        except OSError as error:
            _log.warning("sessions will end with this process: %s", error)
            self._path.unlink(missing_ok=True)
