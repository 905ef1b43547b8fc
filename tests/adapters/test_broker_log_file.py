"""The broker's own log: moved on when it is long, opened anew, and followed through that."""

from __future__ import annotations

from pathlib import Path

import pytest

from evcs.adapters.broker_log import BrokerLines
from evcs.adapters.broker_log_file import MAX_BYTES, BrokerLogFile
from evcs.adapters.log_tailer import LogTailer
from evcs.core.audit import AuditEntry
from tests.adapters.broker import Broker
from tests.system_under_test import eventually


def refused(broker: Broker) -> None:
    with pytest.raises(Exception, match="returned non-zero"):
        broker.publish("nobody", "wrong", "x", b"y")


def test_a_long_log_is_moved_on_and_no_line_is_lost(broker: Broker, tmp_path: Path) -> None:
    path = broker.log_path
    file = BrokerLogFile(path)
    log = LogTailer(path, lambda whole: BrokerLines(whole).parse_line)
    for number in range(4):
        refused(broker)
        assert not file.is_moved()
        with path.open("ab") as padding:
            padding.write((b"x" * 99_999 + b"\n") * (MAX_BYTES // 100_000))
        assert file.is_moved()
        refused(broker)  # still in the file that was moved on
        broker.hup()
        eventually("it is open anew", path.exists)
        assert path.stat().st_mode & 0o777 & ~0o640 == 0
        refused(broker)
        found: list[AuditEntry] = []
        while len(found) < 3:
            found += log.read()
        assert [one.outcome for one in found] == ["refused"] * 3, number
        assert not file.is_moved(), "a file that the broker has made is none to be opened anew"
    assert sorted(one.name for one in path.parent.glob("mosquitto.log*")) == [
        "mosquitto.log", "mosquitto.log.1", "mosquitto.log.2",
    ]  # fmt: skip


def test_a_log_that_was_taken_away_is_made_anew(broker: Broker) -> None:
    path = broker.log_path
    file = BrokerLogFile(path)
    path.unlink()
    assert file.is_moved()
    assert file.is_moved(), "until it is there"
    broker.hup()
    eventually("it is open anew", path.exists)
    assert not file.is_moved()
    path.unlink()
    path.write_text("of another's making")
    assert file.is_moved()
