"""How many may wait for a thread."""

from __future__ import annotations

from threading import Event

import gevent
import pytest

from evcs.adapters.worker_threads import WorkerThreads
from evcs.core.errors import Unreachable

THREADS, MOST = 2, 5


def test_more_than_may_wait_are_refused_at_once_and_others_are_done() -> None:
    over, workers = Event(), WorkerThreads(THREADS, MOST)
    try:
        under_way = [gevent.spawn(workers.run, over.wait) for _ in range(MOST)]
        gevent.sleep(0)
        with pytest.raises(Unreachable):
            workers.run(lambda: 1)
        begun_before = gevent.spawn(workers.run, lambda: 2, goes_on=True)
        gevent.sleep(0)
        assert not begun_before.ready()
    finally:
        over.set()
    gevent.joinall([*under_way, begun_before])
    assert begun_before.get() == 2
    assert workers.run(lambda: 1) == 1


def test_what_fails_leaves_its_place() -> None:
    workers = WorkerThreads(THREADS, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            workers.run(lambda: 1 // 0)
    assert workers.run(lambda: 1) == 1
