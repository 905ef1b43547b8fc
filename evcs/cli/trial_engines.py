"""Whether a CP has an Engine on two machines at once, looked at all the while."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self

from evcs.home import Home

LOOK_EVERY_S = 0.005


class EngineWatch:
    """Used as a context. Each Engine holds a lock in its home for as long as it lives."""

    def __init__(self, homes: Sequence[Home], cps: Collection[str]) -> None:
        self._homes, self._cps = homes, cps
        #: CPs that had two.
        self.doubled: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            held = _locked()
            for cp in self._cps:
                files = [home.lock(f"{cp}.engine") for home in self._homes]
                inodes = [path.stat().st_ino for path in files if path.exists()]
                if len(held.intersection(inodes)) > 1:
                    self.doubled.add(cp)


def _locked() -> set[int]:
    """The inodes of all files that somebody holds by flock."""
    rows = map(str.split, Path("/proc/locks").read_text().splitlines())
    return {int(row[5].rpartition(":")[2]) for row in rows if row[1] == "FLOCK"}
