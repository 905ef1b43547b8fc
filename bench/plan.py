"""How much is measured: sizes and runs, fewer of both with --quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

QUICK_SIZES = (3, 6)


class Plan(NamedTuple):
    """What a benchmark is to do, and where it says how far it is."""

    quick: bool
    say: Callable[[str], None]

    def sizes(self, *full: int, quick: tuple[int, ...] = QUICK_SIZES[:1]) -> tuple[int, ...]:
        """The sizes to measure."""
        return quick if self.quick else full

    def runs(self, size: int, full: int = 5, large: int = 3) -> int:
        """How often, at that size."""
        return 1 if self.quick else large if size >= 300 else full

    def samples(self, full: int) -> int:
        """How many of what is quickly had."""
        return min(full, 3) if self.quick else full

    def seconds(self, full: float) -> float:
        """How long to look."""
        return min(full, 1.0) if self.quick else full
