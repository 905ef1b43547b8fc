"""conf/supervisord.d: section files, read, written whole, erased, set aside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from evcs.adapters import heartbeat
from evcs.adapters.files import clear_place, read_small, set_aside, sync_folder, write_atomic
from evcs.core import sections


class SectionFiles:
    """One folder of section files, a file a unit: a CP of its own, or a pool.

    A file that isn't byte for byte what its name calls for is never parsed, let alone run:
    that one rule covers broken, foreign and injected sections alike.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def texts(self, units: Iterable[str] | None = None) -> dict[str, str | None]:
        """Unit -> text of its file, None where it can't be read; of these, or of all.

        Units that have no file and foreign names are left out.
        """
        if units is None:
            found = (path.stem for path in self._folder.glob("*.conf"))
            units = filter(sections.is_unit, found)
        return {one: _text(self._path(one)) for one in units if os.path.lexists(self._path(one))}

    def unexpected(self) -> list[Path]:
        """Files that supervisord would read and that are not what we would write."""
        return sorted(
            path
            for path in self._folder.glob("*.conf")
            if not sections.is_unit(path.stem) or _text(path) != sections.render(path.stem)
        )

    def write(self, unit: str) -> None:
        """Put the unit's section in place."""
        heartbeat.beat()
        clear_place(self._path(unit))
        write_atomic(self._path(unit), sections.render(unit).encode())

    def erase(self, unit: str) -> None:
        """Remove the unit's section."""
        self._path(unit).unlink(missing_ok=True)
        sync_folder(self._folder)

    def quarantine(self, path: Path) -> Path:
        """Rename a file so that supervisord doesn't read it; returns its new place."""
        return set_aside(path)

    def _path(self, unit: str) -> Path:
        return self._folder / sections.file_name(sections.check_unit(unit))


def _text(path: Path) -> str | None:
    try:
        # Bytes: reading as text would take other line ends for ours. A pipe would hold us for ever.
        return read_small(str(path)).decode("utf-8")
    except (OSError, ValueError):
        return None
