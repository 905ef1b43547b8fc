"""Lines of logs: by time, with what they say taken apart."""

from __future__ import annotations

from evcs.cli.log_lines import lines_of, merged


def test_programs_are_merged_by_time_and_entries_stay_whole() -> None:
    one = lines_of("a", [b"2026-11-30T10:00:01.000Z INFO a x", b"  more of x",
                         b"2026-11-30T10:00:03.000Z INFO a y"])  # fmt: skip
    other = lines_of("b", [b"2026-11-30T10:00:02.000Z INFO b z"])
    assert [line.text for line in merged([*other, *one])] == [
        "INFO a x", "  more of x", "INFO b z", "INFO a y",
    ]  # fmt: skip


def test_the_broker_s_and_supervisord_s_times_are_ours() -> None:
    (broker,) = lines_of("mosquitto", [b"1796051238: Client x disconnected."])
    assert (broker.at, broker.text) == ("2026-11-30T15:07:18.000Z", "Client x disconnected.")
    assert broker.to_json()["who"] is None
    (own,) = lines_of("supervisord", [b"2026-11-30 14:57:51,808 INFO success: x"])
    assert own.at.endswith(":51.808Z")
    assert own.text == "INFO success: x"


def test_an_entry_is_an_object() -> None:
    raw = b"2026-11-30T14:58:06.469Z INFO CP-002 engine session=1-2 energy_wh=1000 ended completed"
    (line,) = lines_of("CP-002.engine", [raw])
    assert line.to_json() == {
        "program": "CP-002.engine", "at": "2026-11-30T14:58:06.469Z", "level": "INFO",
        "who": "CP-002 engine", "fields": {"session": "1-2", "energy_wh": "1000"},
        "text": "ended completed", "line": raw.decode(),
    }  # fmt: skip


def test_what_is_no_entry_is_text() -> None:
    first, second = (line.to_json() for line in lines_of("x", [b"Traceback", b"\xff=1"]))
    assert (first["at"], first["level"], first["text"]) == (None, None, "Traceback")
    assert (second["fields"], second["line"]) == ({}, "\ufffd=1")
