"""What the whole bus said during a test, and what must never be in it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Recorded = Sequence[tuple[str, dict[str, Any]]]

_STATE = re.compile(r"evcs/v1/central/cp/([^/]+)/state")
_ENGINE = re.compile(r"evcs/v1/cp/([^/]+)/engine/(status|meter)")


def no_cp_has_two_engines(recorded: Recorded) -> None:
    """Two would be online in turns, or tell one number of a session twice."""
    boots: dict[str, list[str]] = defaultdict(list)
    for cp, word, payload in _of_engines(recorded):
        if word == "status" and payload["online"] and payload["boot"] not in boots[cp][-1:]:
            assert payload["boot"] not in boots[cp], (cp, boots[cp], payload)
            boots[cp].append(payload["boot"])
    for (cp, session), numbers in _numbers(recorded).items():
        assert all(one < another for one, another in pairwise(numbers)), (cp, session, numbers)


def births(recorded: Recorded, role: str) -> dict[str, set[str]]:
    """CP -> the starts of that role, by their boots."""
    found: dict[str, set[str]] = defaultdict(set)
    said = re.compile(rf"evcs/v1/cp/([^/]+)/{role}/status")
    for topic, payload in [*recorded]:
        if (hit := said.fullmatch(topic)) and payload["online"]:
            found[hit[1]].add(payload["boot"])
    return found


def interrupted(recorded: Recorded) -> set[str]:
    """CPs of which a session's readings lack one."""
    return {
        cp
        for (cp, _), numbers in _numbers(recorded).items()
        if any(another != one + 1 for one, another in pairwise(numbers))
    }


def metering(recorded: Recorded) -> set[str]:
    """CPs that told a reading."""
    return {cp for cp, _ in _numbers(recorded)}


def largest_step_wh(recorded: Recorded) -> int:
    """The most that a session came to from one reading to the next."""
    energy: dict[str, list[int]] = defaultdict(list)
    for _, word, payload in _of_engines(recorded):
        if word == "meter":
            energy[payload["session_id"]].append(payload["energy_wh"])
    return max(b - a for told in energy.values() for a, b in pairwise(told))


def judged(recorded: Recorded) -> dict[str, list[tuple[str, str]]]:
    """CP -> its states, each with its reason, as they came."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for topic, payload in [*recorded]:
        if hit := _STATE.fullmatch(topic):
            found[hit[1]].append((payload["state"], payload["reason"]))
    return found


def _numbers(recorded: Recorded) -> dict[tuple[str, str], list[int]]:
    """(CP, session) -> the number of each reading, as they came."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for cp, word, payload in _of_engines(recorded):
        if word == "meter":
            found[cp, payload["session_id"]].append(payload["seq"])
    return found


def _of_engines(recorded: Recorded) -> list[tuple[str, str, dict[str, Any]]]:
    hits = ((_ENGINE.fullmatch(topic), payload) for topic, payload in [*recorded])
    return [(hit[1], hit[2], payload) for hit, payload in hits if hit]
