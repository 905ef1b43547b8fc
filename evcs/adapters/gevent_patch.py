"""gevent takes over sockets, locks and threads, before a process imports anything else."""

from __future__ import annotations

from gevent import events, monkey


def patch() -> None:
    """HTTP and the loop take turns from now on."""
    # At each of 25 steps gevent would look through all packages that are installed for one that
    # wants to hear of it: 10 ms each where 50 are, half of a start.
    events.notify_and_call_entry_points = events.notify
    monkey.patch_all()
