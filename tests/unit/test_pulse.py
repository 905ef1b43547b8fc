"""When a service hangs: it gives no sign though it could."""

from __future__ import annotations

import pytest

from evcs.core import pulse
from evcs.core.pulse import Seen

SILENT = 4


def after(*looks: Seen) -> str:
    """Why it hangs at the last of these looks."""
    known = None
    for seen in looks:
        known = pulse.look(known, seen)
    assert known is not None
    return pulse.hangs(known, looks[-1])


def silent(state: str, cpu_s: float = 0.0, sign: int | None = 7) -> list[Seen]:
    """Looks without a new sign, over which so much CPU time is used."""
    return [Seen(1, sign, state, cpu_s * n / (SILENT - 1)) for n in range(SILENT)]


@pytest.mark.parametrize(
    ("looks", "hangs"),
    [
        (silent("T"), True),
        (silent("T", sign=None), True),
        (silent("S"), True),
        (silent("R", cpu_s=15.0), True),
        (silent("R", cpu_s=2.1), True),
        (silent("R", cpu_s=1.0), False),  # it waits for its turn
        (silent("D"), False),  # for the disk
        (silent("t"), False),  # somebody looks at it with a debugger
        (silent("S", sign=None), False),  # of a version that gives no signs
        (silent("S")[1:], False),
        ([*silent("S")[1:], Seen(1, 8, "S", 0.0)], False),
        ([*silent("S")[1:], Seen(2, 7, "S", 0.0)], False),
        ([Seen(1, sign, "R", 5.0 * sign) for sign in range(20)], False),  # busy, and says so
    ],
)
def test_what_hangs(looks: list[Seen], hangs: bool) -> None:
    assert bool(after(*looks)) == hangs


@pytest.mark.parametrize(
    ("gap_s", "says"), [(5.0, True), (4.2, True), (7.0, True), (0.1, False), (60.0, False)]
)
def test_a_look_that_says_something(gap_s: float, says: bool) -> None:
    assert pulse.in_time(gap_s) == says
