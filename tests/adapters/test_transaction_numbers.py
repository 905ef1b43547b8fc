"""Numbers of transactions: none is given twice, whatever becomes of the file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from evcs.adapters.transaction_numbers import BEGIN_S, BLOCK, TransactionNumbers
from evcs.core.ocpp.transactions import MAX_ID


def test_they_go_on_after_a_restart(tmp_path: Path) -> None:
    numbers = TransactionNumbers(tmp_path / "n")
    given = [numbers.next() for _ in range(BLOCK + 1)]
    again = TransactionNumbers(tmp_path / "n")
    assert given == sorted(set(given))
    assert again.next() > given[-1]


@pytest.mark.parametrize("kept", ["7", "", "garbage", "-5", f"{MAX_ID - 7}", "9" * 5_000, None])
def test_an_old_copy_of_the_file_gives_none_anew(tmp_path: Path, kept: str | None) -> None:
    """As after the restore of an old backup: the time is above all that were given."""
    if kept is not None:
        (tmp_path / "n").write_text(kept)
    assert 0 <= TransactionNumbers(tmp_path / "n").next() - int(time.time()) + BEGIN_S < BLOCK


@pytest.mark.parametrize("now", [0.0, float(BEGIN_S + MAX_ID)])
def test_a_clock_that_can_t_be_right_is_not_believed(tmp_path: Path, now: float) -> None:
    (tmp_path / "n").write_text("5000")
    assert TransactionNumbers(tmp_path / "n", lambda: now).next() == 5001
