"""What is made once for all who ask."""

from __future__ import annotations

import threading

import pytest

from evcs.core.errors import EvcsError, Unreachable
from evcs.services.turns import Kept, KeptEach, made_once


class Work:
    """Takes a tenth of a second each time."""

    def __init__(self) -> None:
        self.now, self.done, self.fails = 100.0, 0, False

    def __call__(self) -> int:
        self.now += 0.1
        if self.fails:
            raise EvcsError("no")
        self.done += 1
        return self.done


def test_making_takes_a_tenth_of_the_time() -> None:
    work = Work()
    kept = Kept(work, lambda: work.now)
    assert [kept() for _ in range(100)] == [1] * 100
    work.now += 0.85
    assert kept() == 1
    work.now += 0.1
    assert (kept(), kept()) == (2, 2)


def test_what_fails_is_not_kept() -> None:
    work = Work()
    work.fails = True
    kept = Kept(work, lambda: work.now)
    with pytest.raises(EvcsError):
        kept()
    work.fails = False
    assert kept() == 1


def test_each_is_made_once_and_kept_as_long_as_its_making_allows() -> None:
    work = Work()

    def make(key: str) -> str:
        return f"{key}{work()}"

    kept = KeptEach(make, lambda: work.now)
    assert [kept("a"), kept("b"), kept("a"), kept("b")] == ["a1", "b2", "a1", "b2"]
    work.now += 0.85
    assert (kept("b"), kept("a")) == ("b2", "a3")
    work.now += 1.0
    work.fails = True
    with pytest.raises(EvcsError):
        kept("a")
    work.fails = False
    assert kept("a") == "a4"


def test_who_would_wait_too_long_for_another_is_turned_away() -> None:
    begun, done = threading.Event(), threading.Event()

    def make(key: str) -> str:
        begun.set()
        assert done.wait(20.0)
        return key

    kept = KeptEach(make, longest_wait_s=0.01)
    found: list[str] = []
    first = threading.Thread(target=lambda: found.append(kept("a")))
    first.start()
    assert begun.wait(20.0)
    with pytest.raises(Unreachable, match="too many"):
        kept("b")
    done.set()
    first.join()
    assert found == ["a"]
    assert kept("b") == "b"


def test_made_once_for_each_object() -> None:
    source, made = [1], []

    def make(found: list[int]) -> int:
        made.append(found)
        return len(found)

    listed = made_once(lambda: source, make)
    assert [listed(), listed()] == [1, 1]
    source = [1, 2]
    assert [listed(), listed()] == [2, 2]
    assert len(made) == 2
