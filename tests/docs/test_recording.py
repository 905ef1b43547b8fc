"""The recording is whole, is of the commands that its script names, and names no machine."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest

from docs import make_recording as made
from tests.system_under_test import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return [json.loads(line) for line in made.CAST.read_text(encoding="utf-8").splitlines()]


def shown(rows: list[Any]) -> str:
    text = "".join(text for _, _, text in rows[1:])
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text)


def test_it_is_an_asciicast(rows: list[Any]) -> None:
    head, *events = rows
    assert (head["version"], head["width"], head["height"]) == (2, made.COLUMNS, made.ROWS)
    assert all(kind == "o" and isinstance(text, str) for _, kind, text in events)
    assert all(0 <= a <= b <= a + 10 for (a, _, _), (b, _, _) in pairwise(events))


def test_it_is_of_the_commands_that_the_script_runs(rows: list[Any]) -> None:
    text = shown(rows)
    places = [text.find(f"$ {command}\r\n") for command in made.COMMANDS]
    assert -1 not in places
    assert "SUPPLYING" in text[places[-3] :], "it came back"
    assert "settled" in text[places[-1] :]


def test_the_picture_has_a_screen_for_each_command() -> None:
    root = ET.parse(made.PICTURE).getroot()
    frames = root.findall(f"{SVG}g")
    assert [frame.get("id") for frame in frames] == [f"f{n}" for n in range(len(made.COMMANDS))]
    for command, frame in zip(made.COMMANDS, frames, strict=True):
        text = "".join(frame.itertext())
        assert command.split("'", 1)[0].strip() in text
    assert not re.search(r"href|url\(|<script|@import", made.PICTURE.read_text(encoding="utf-8"))


def test_neither_names_a_machine() -> None:
    for path in (made.CAST, made.PICTURE):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert not re.search(r"/(?:home|tmp|root|work|opt|usr)/|localhost|\w@\w", text)
