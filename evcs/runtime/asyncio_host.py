"""A Loop within asyncio's: for the process whose field's libraries need asyncio, the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from evcs.runtime.loop import BEAT_S, Loop


async def run(
    loop: Loop,
    handle: Callable[[list[Any]], float | None],
    tick: Callable[[float], float],
    beat: Callable[[], None],
) -> None:
    """As `Loop.run`, while asyncio's tasks have their turns between those of the loop."""
    host, ready = asyncio.get_running_loop(), asyncio.Event()
    host.add_reader(loop.fileno(), ready.set)
    due = loop.time()
    try:
        while True:
            beat()
            await _wait(ready, loop.wait_s(min(due - loop.time(), BEAT_S)))
            stopping = loop.stopped
            events = loop.turn(0.0)
            if events and (earlier := handle(events)) is not None:
                due = min(due, loop.time() + earlier)
            if stopping:
                return
            now = loop.time()
            if now >= due:
                due = now + tick(now)
    finally:
        host.remove_reader(loop.fileno())


async def _wait(ready: asyncio.Event, longest_s: float) -> None:
    timer = asyncio.get_running_loop().call_later(longest_s, ready.set)
    await ready.wait()
    timer.cancel()
    ready.clear()
