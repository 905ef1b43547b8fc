"""G12: nothing of others reaches a terminal raw, and what is ours keeps its colours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.cli.common import Out, table
from evcs.cli.terminal import as_json, join, shown, style

BAD = "\x1b[2J\x1b]0;x\x07\r\n\x9b31m\u202eCP-002  ACTIVATED\u2028\x7f"


def clean(text: str) -> bool:
    return text.replace("\n", "").isprintable()


@given(st.text())
def test_a_line_is_printed_as_one_line(text: str) -> None:
    for found in (shown(text), join(text, text)):
        assert found.replace("\u200c", "").replace("\u200d", "").isprintable()


def test_colours_are_ours_and_what_is_in_them_is_plain() -> None:
    assert style("a", fg="red") == "\x1b[31ma\x1b[0m"
    assert style("\x1b[2J", bold=True) == "\x1b[1m?[2J\x1b[0m"
    assert join(style("a", bold=True), "\x1b[0m") == "\x1b[1ma\x1b[0m ?[0m"


@pytest.mark.parametrize("color", [True, False])
def test_whatever_a_command_prints(color: bool, capsys: pytest.CaptureFixture[str]) -> None:
    out = Out(False, False, color)
    out.data(None, table(("A", "B"), [(BAD, out.state("ACTIVATED")), ("x", BAD)]))
    out.data(None, BAD)
    out.say(BAD)
    told = capsys.readouterr()
    lines = [*told.out.splitlines(), *told.err.splitlines()]
    assert len(lines) == 5
    for line in lines:
        assert clean(line.replace("\x1b[1m", "").replace("\x1b[32m", "").replace("\x1b[0m", ""))
    assert ("\x1b[32mACTIVATED\x1b[0m" in told.out) == color


VALUES = st.recursive(
    st.text() | st.integers(), lambda some: st.dictionaries(st.text(), some) | st.lists(some)
)


@given(VALUES)
def test_json_is_printed_and_means_the_same(value: object) -> None:
    found = as_json(value)
    assert found.isprintable()
    assert json.loads(found) == value
