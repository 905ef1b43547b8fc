"""The nearest name to one that there isn't."""

from __future__ import annotations

import pytest

from evcs.cli import names

CPS = ["CP-001", "CP-002", "WALLBOX", "wall_2"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cp-001", "CP-001"),
        ("CP001", "CP-001"),
        ("CP-01", "CP-001"),
        ("C-002", "CP-002"),
        ("WALBOX", "WALLBOX"),
        ("walbox", "WALLBOX"),
    ],
)
def test_the_nearest_cp_is_named(typed: str, meant: str) -> None:
    error = names.no_cp(typed, CPS)
    assert (error.message, error.hint) == (f"no CP {typed}", f"did you mean {meant}?")


@pytest.mark.parametrize("typed", ["CP-404", "CP-003", "X", "../x"])
def test_another_number_is_another_cp(typed: str) -> None:
    assert names.no_cp(typed, CPS).hint == "list them with: evcs-cp list"


def test_a_range_is_meant() -> None:
    assert names.no_cp("CP-1..40", CPS).hint == "did you mean 'CP-{1..40}'?"


def test_a_driver_that_is_not_there() -> None:
    assert names.no_driver("ALISE", ["ALICE", "BOB"]).hint == "did you mean ALICE?"
    assert names.no_driver("EVE", ["ALICE"]).hint == "add it: evcs driver add EVE"


def test_of_several_that_there_are_not_the_first_is_named_and_the_rest_counted() -> None:
    error = names.no_cps(["CP-004", "CP-005", "CP-006"], ["CP-001"])
    assert error.message == "no CP CP-004, nor 2 more of these"
    assert names.no_cps(["CP001"], ["CP-001"]).hint == "did you mean CP-001?"
