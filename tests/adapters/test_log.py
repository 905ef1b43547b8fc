"""A log's lines look alike, whoever writes them."""

from __future__ import annotations

import re

import pytest

from evcs.adapters import log
from evcs.adapters.log import NamedLog
from evcs.core.ports import Log

LINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR) CP-1 engine (.*)"


def _said(one: Log) -> None:
    one.info("starts")
    one.warning("fault=%s set", "hot\x1b[2J\nERROR forged")
    one.error("energy_wh=%d", 7)
    try:
        raise ValueError("no such thing")
    except ValueError:
        one.exception("failed")


def test_a_cps_own_log_writes_what_logging_would(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for one in (log.setup("CP-1 engine"), NamedLog("CP-1 engine")):
        _said(one)
        matches = [re.fullmatch(LINE, line) for line in capsys.readouterr().out.splitlines()]
        found.append([match and match.groups() for match in matches])
    assert found[0] == found[1]
    assert found[0][:3] == [
        ("INFO", "starts"),
        ("WARNING", "fault=hot\\x1b[2J\\nERROR forged set"),
        ("ERROR", "energy_wh=7"),
    ]
    assert found[0][3] is not None
