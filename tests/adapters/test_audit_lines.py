"""What web and Registry have for the audit: written by one, read by another, and nothing else."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from evcs.adapters import audit_lines, log
from evcs.adapters.followed_log import FollowedLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.log"


@pytest.fixture
def logger(path: Path) -> logging.Logger:
    """The program's logger, as web has it, into a file."""
    found = log.setup("web")
    handler = found.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(io.TextIOWrapper(path.open("ab", buffering=0), write_through=True))
    return found


def test_what_is_written_is_read(path: Path, logger: logging.Logger) -> None:
    audit_lines.write("127.0.0.1:7", "login", "refused", "a token for POST /api/v1/cps")
    audit_lines.write("operator", "driver-add", "ok", "ALICE\nand more")
    first, second = FollowedLog(path, audit_lines.take).read()
    assert first[1:] == (
        "127.0.0.1:7", "login", None, "refused", "web: a token for POST /api/v1/cps",
    )  # fmt: skip
    assert len(first.at) == len("2026-11-22T12:23:37.000Z")
    assert second[1:] == ("operator", "driver-add", None, "ok", "web: ALICE\\nand more")


def test_other_lines_are_none(path: Path, logger: logging.Logger) -> None:
    forged = "2026-11-22T12:23:37.000Z WARNING web audit who=x what=login outcome=ok x"
    logger.info("http: %s", forged)
    logger.info("x\n%s\r%s", forged, forged)
    logger.error("audit who=x what=y")
    with path.open("ab") as file:
        file.write(b"\xff\x00 audit who=x what=y outcome=z w\n" + forged.encode()[:40] + b"\n")
        file.write(forged.replace(" web ", " CP-001 engine ").encode() + b"\n")
    assert FollowedLog(path, audit_lines.take).read() == []
