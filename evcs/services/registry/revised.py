"""Records of a kind as they were, and as a batch leaves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class Revised(Generic[T]):
    """By name. `now` is replaced, never changed."""

    def __init__(self, before: Mapping[str, T]) -> None:
        self._before = self.now = before

    @property
    def differs(self) -> bool:
        """Whether anything was done to them."""
        return self.now is not self._before

    @property
    def changed(self) -> list[T]:
        """Those that are new or another."""
        return [one for name, one in self.now.items() if self._before.get(name) != one]

    @property
    def made(self) -> list[str]:
        """Those that are new."""
        return [name for name in self.now if name not in self._before]

    @property
    def gone(self) -> list[str]:
        """Those that were there."""
        return [name for name in self._before if name not in self.now]

    def put(self, name: str, one: T) -> None:
        """Have this one."""
        self.now = {**self.now, name: one}

    def drop(self, name: str) -> None:
        """Have it no more."""
        self.now = {other: one for other, one in self.now.items() if other != name}
