"""conf/supervisord.d: section files, read, written whole, erased, set aside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from evcs.adapters import heartbeat
from evcs.adapters.files import sync_folder, write_atomic
from evcs.core import sections
from evcs.core.ids import check_id, is_cp_id


class SectionFiles:
    """One folder of section files, a file a CP.

    A file that isn't byte for byte what its name calls for is never parsed, let alone run:
    that one rule covers broken, foreign and injected sections alike.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def texts(self, cps: Iterable[str] | None = None) -> dict[str, str | None]:
        """CP -> text of its file, None where it can't be read; of these CPs, or of all.

        CPs that have no file and foreign names are left out.
        """
        if cps is None:
            cps = [path.stem for path in self._folder.glob("*.conf") if is_cp_id(path.stem)]
        return {cp: _text(self._path(cp)) for cp in cps if os.path.lexists(self._path(cp))}

    def unexpected(self) -> list[Path]:
        """Files that supervisord would read and that are not what we would write."""
        return sorted(
            path
            for path in self._folder.glob("*.conf")
            if not is_cp_id(path.stem) or _text(path) != sections.render(path.stem)
        )

    def write(self, cp: str) -> None:
        """Put the CP's section in place."""
        heartbeat.beat()
        if self._path(cp).is_dir():
            self.quarantine(self._path(cp))
        write_atomic(self._path(cp), sections.render(cp).encode())

    def erase(self, cp: str) -> None:
        """Remove the CP's section."""
        self._path(cp).unlink(missing_ok=True)
        sync_folder(self._folder)

    def quarantine(self, path: Path) -> Path:
        """Rename a file so that supervisord doesn't read it; returns its new place."""
        goal = path.with_name(path.name + ".broken")
        number = 1
        while goal.exists():
            number += 1
            goal = path.with_name(f"{path.name}.broken.{number}")
        path.rename(goal)
        sync_folder(self._folder)
        return goal

    def _path(self, cp: str) -> Path:
        return self._folder / sections.file_name(check_id("CP", cp))


def _text(path: Path) -> str | None:
    try:
        # Bytes: reading as text would take other line ends for ours.
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return None
