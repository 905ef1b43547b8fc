"""How often a thing that anybody can repeat is told: a flood of it makes no flood of lines."""

from __future__ import annotations


def is_told(count: int) -> bool:
    """Whether the so-manieth is told: the first, second, fourth, eighth..."""
    return count & (count - 1) == 0
