"""Frames as lines that people read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp.frame_line import frame_line


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        ('[2,"17","StartTransaction",{"connectorId":1,"idTag":"CARD"}]',
         "call 17 StartTransaction connectorId=1 idTag=CARD"),
        ('[3,"17",{"transactionId":5,"idTagInfo":{"status":"Accepted"}}]',
         "answer 17 transactionId=5 idTagInfo.status=Accepted"),
        ('[4,"17","NotSupported","not here",{}]', "error 17 NotSupported not here"),
        ("hello", "no frame: hello"),
        ("[5]", "no frame: [5]"),
    ],
)  # fmt: skip
def test_frame_line(frame: str, line: str) -> None:
    assert frame_line(frame) == line


@given(st.text())
def test_nothing_breaks_it(text: str) -> None:
    assert frame_line(text)
