"""How often a thing that anybody can repeat is reported: a flood of it makes no flood of lines."""

from __future__ import annotations


def is_reported(count: int) -> bool:
    """Whether the so-manieth is reported: the first, second, fourth, eighth..."""
    return count & (count - 1) == 0
