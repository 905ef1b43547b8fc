"""The loop: sockets, timers and events in turn, and nothing that waits for another."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Any

import pytest

from evcs.runtime.loop import Loop


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> Any:
    made = Loop(clock)
    yield made
    made.close()


def test_what_is_first_comes_before_what_is_soon(loop: Loop, clock: Clock) -> None:
    seen: list[str] = []

    def tick() -> None:
        loop.call_soon(seen.append, "told")
        loop.call_first(seen.append, "kept")

    loop.call_later(0.0, tick)
    loop.turn(0.0)
    assert seen == ["kept", "told"]


def test_timers_come_in_the_order_of_their_time_and_cancelled_ones_never(
    loop: Loop, clock: Clock
) -> None:
    seen: list[str] = []
    loop.call_later(2.0, seen.append, "second")
    loop.call_later(1.0, seen.append, "first")
    loop.call_later(1.5, seen.append, "never").cancel()
    loop.call_later(9.0, seen.append, "later")
    clock.now += 3.0
    loop.turn(0.0)
    assert seen == ["first", "second"]


def test_what_is_called_soon_may_call_again_and_others_have_their_turn(loop: Loop) -> None:
    seen: list[str] = []

    def again() -> None:
        seen.append("again")
        loop.call_soon(again)

    loop.call_soon(again)
    loop.put("event")
    assert loop.turn() == ["event"]
    assert 1 <= len(seen) <= 2


def test_a_turn_that_did_something_does_not_wait(loop: Loop) -> None:
    """Who turns it until something is done must see at once that it is."""
    seen: list[str] = []
    late = threading.Timer(5.0, loop.put, ["too late"])
    late.start()
    loop.call_soon(seen.append, "done")
    events = loop.turn()
    late.cancel()
    assert (seen, events) == (["done"], [])


def test_a_socket_is_read_and_written_when_it_can_be_and_no_more_once_it_is_removed(
    loop: Loop,
) -> None:
    ours, other = socket.socketpair()
    seen: list[str] = []
    with ours, other:
        loop.add_reader(ours.fileno(), lambda: seen.append(ours.recv(10).decode()))
        loop.add_writer(ours.fileno(), lambda: seen.append("can write"))
        other.send(b"word")
        loop.turn()
        assert sorted(seen) == ["can write", "word"]
        loop.remove_writer(ours.fileno())
        loop.remove_reader(ours.fileno())
        loop.remove_reader(ours.fileno())
        other.send(b"more")
        loop.turn(0.0)
        assert sorted(seen) == ["can write", "word"]


def test_an_event_from_another_thread_ends_the_waiting(loop: Loop) -> None:
    threading.Timer(0.05, loop.put, ["from a thread"]).start()
    assert loop.turn(30.0) == ["from a thread"]


def test_it_ends_at_a_signal_with_all_that_was_there_handled() -> None:
    loop = Loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    handled: list[Any] = []
    try:
        loop.stop_on_signals()
        loop.put("first")
        timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGTERM])
        timer.start()
        loop.run(lambda events: handled.extend(events), lambda _now: 60.0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        loop.close()
    assert handled == ["first"]


def test_a_tick_comes_sooner_where_a_batch_asks_for_it(loop: Loop) -> None:
    ticks: list[float] = []

    def tick(now: float) -> float:
        ticks.append(now)
        loop.put("event")
        if len(ticks) == 3:
            loop.stop()
        return 1_000.0

    loop.run(lambda _events: 0.0, tick)
    assert len(ticks) >= 3
