"""G12: a cell of ours is never a formula, whatever a charger told."""

from __future__ import annotations

import csv
import io

import pytest

from evcs.core import session_csv


def reason_of(text: str) -> str:
    table = session_csv.render([{"session_id": "s", "energy_wh": -5, "reason": text}])
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["energy_wh"] == "-5", "a number stays one"
    return row["reason"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\t="])
def test_what_a_spreadsheet_would_run_is_quoted(first: str) -> None:
    assert reason_of(f"{first}HYPERLINK(1)")[0] == "'"


@pytest.mark.parametrize("text", ["completed", "", "a=b", 'a "b", c', "é🔌"])
def test_other_text_is_itself(text: str) -> None:
    assert reason_of(text) == text


@pytest.mark.parametrize("who", ["operator", "driver"])
def test_who_stopped_a_charge_is_said_as_in_lists(who: str) -> None:
    assert reason_of(who) == f"stopped by {who}"


def test_a_cell_begins_no_row_and_steers_no_terminal() -> None:
    assert reason_of("a\r\nb\x1b[2J\x9b") == "a  b [2J "


def test_what_a_correction_takes_back_is_a_number() -> None:
    table = session_csv.render([{"energy_wh": -200, "cost_eur": "-0.08", "price_eur_kwh": "0.40"}])
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["energy_wh"], row["cost_eur"], row["price_eur_kwh"]) == ("-200", "-0.08", "0.40")
