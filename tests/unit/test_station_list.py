"""A station's list of cards: whole, changed, and by its version."""

from __future__ import annotations

import pytest

from evcs.core.ocpp.station_list import ACCEPTED, FAILED, MISMATCH, MOST_LISTED, LocalList, updated
from evcs.core.ocpp.station_tokens import Card, Token

A, B = Card("A", "Accepted"), Card("B", "Blocked")
BOTH = LocalList(5, (A, B))


def test_a_whole_list_is_in_the_place_of_the_one_before_whatever_its_version() -> None:
    assert updated(LocalList(), 5, True, [(Token("A"), A), (Token("B"), B)]) == (ACCEPTED, BOTH)
    assert updated(BOTH, 1, True, [(Token("B"), B)]) == (ACCEPTED, LocalList(1, (B,)))
    assert updated(BOTH, 9, True, []) == (ACCEPTED, LocalList(9))


def test_a_change_puts_in_alters_and_takes_out() -> None:
    c, again = Card("C", "Accepted"), Card("b", "Accepted")
    found = updated(BOTH, 6, False, [(Token("C"), c), (Token("b"), again), (Token("A"), None)])
    assert found == (ACCEPTED, LocalList(6, (again, c)))
    assert found[1].card(Token("B")) == again
    assert found[1].card(Token("A")) is None
    assert found[1].card(Token("B", "eMAID")) is None
    assert updated(BOTH, 7, False, [(Token("NOBODY"), None)]) == (
        ACCEPTED,
        BOTH._replace(version=7),
    )


@pytest.mark.parametrize("version", [4, 5])
def test_a_change_of_an_older_list_is_none(version: int) -> None:
    assert updated(BOTH, version, False, [(Token("A"), None)]) == (MISMATCH, BOTH)


@pytest.mark.parametrize(
    ("version", "full", "changes"),
    [
        (0, True, [(Token("A"), A)]), (-1, False, []), (6, True, [(Token("A"), None)]),
        (6, False, [(Token("A"), A), (Token("a"), A)]),
        (6, True, [(Token(str(number)), A) for number in range(MOST_LISTED + 1)]),
        (6, False, [(Token(str(number)), A) for number in range(MOST_LISTED - 1)]),
    ],
)  # fmt: skip
def test_what_can_not_be_a_list_changes_nothing(
    version: int, full: bool, changes: list[tuple[Token, Card | None]]
) -> None:
    assert updated(BOTH, version, full, changes) == (FAILED, BOTH)
