"""conf/evcs.toml with what nobody would write there: an error that names it, at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evcs import config
from evcs.core.errors import BadValue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evcs.toml"


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 16_000, "a = " + "[" * 100_000, "mqtt_port = " + "9" * 5_000,
        ".".join("a" * 8_000) + " = 1", ".".join("a" * 50_000) + " = 1", "# " + "x" * 20_000,
    ],
)  # fmt: skip
def test_what_no_settings_are(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(BadValue, match=r"evcs\.toml"):
        config.check_file(path)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file(path: Path, make: object) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(BadValue, match="can't be read"):
        config.check_file(path)
