"""Connections that are made some at a time."""

from __future__ import annotations

from functools import partial

from evcs.adapters.connection_gate import Gate
from evcs.runtime.loop import Loop


def test_so_many_are_inside_at_once_and_each_has_its_turn() -> None:
    loop, inside, most = Loop(), set[int](), 0
    gate, left = Gate(loop, 2), list[int]()

    def begin(number: int) -> None:
        nonlocal most
        inside.add(number)
        most = max(most, len(inside))

    for number in range(5):
        gate.enter(partial(begin, number))
    while len(left) < 5:
        left.append(inside.pop())
        gate.leave()
        loop.turn(0.0)
    assert most == 2
    assert sorted(left) == [*range(5)]
    gate.enter(lambda: begin(9))
    assert inside == {9}
    loop.close()
