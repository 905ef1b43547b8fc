"""The two clocks: monotonic seconds for durations, RFC 3339 UTC for what people read."""

from __future__ import annotations

import time

monotonic = time.monotonic


def timestamp() -> str:
    """Now, to the millisecond: 2026-11-22T09:00:00.123Z."""
    now = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{whole}.{int(now * 1000) % 1000:03d}Z"


class SystemClock:
    """The machine's clocks, for who is given one."""

    monotonic = staticmethod(time.monotonic)
    timestamp = staticmethod(timestamp)
