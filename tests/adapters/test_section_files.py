from __future__ import annotations

import os
from pathlib import Path

import pytest

from evcs.adapters.section_files import SectionFiles
from evcs.core import sections

GOOD = sections.render("CP-001")
BROKEN = {
    "empty": b"",
    "blank": b"\n\n",
    "NUL": b"\0" * 100,
    "bad UTF-8": GOOD.encode() + b"\xff\xfe",
    "UTF-16": GOOD.encode("utf-16"),
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "CRLF": GOOD.replace("\n", "\r\n").encode(),
    "lone CR": GOOD.replace("\n", "\r", 1).encode(),
    "half": GOOD[: len(GOOD) // 2].encode(),
    "no last newline": GOOD[:-1].encode(),
    "twice": (GOOD * 2).encode(),
    "another's": sections.render("CP-002").encode(),
    "other case": sections.render("cp-001").encode(),
    "percent": GOOD.replace("autorestart=true", "autorestart=%(x").encode(),
    "unknown variable": GOOD.replace("EVCS_HOME", "NO_SUCH").encode(),
    "no command": GOOD.replace("command=", "; command=").encode(),
    "no head": GOOD.replace("[group:CP-001]", "").encode(),
    "half a head": GOOD.replace("[group:CP-001]", "[group:CP-001").encode(),
    "unknown user": GOOD.replace("startsecs=1", "user=nobody-here").encode(),
    "missing folder": GOOD.replace("/log/", "/no/such/").encode(),
    "a missing program": GOOD.replace("programs=", "programs=CP-009.engine,").encode(),
    "not a number": GOOD.replace("startsecs=1", "startsecs=one").encode(),
    "an added program": (GOOD + "[program:evil]\ncommand=/bin/true\n").encode(),
    "an added include": (GOOD + "[include]\nfiles=/tmp/*.conf\n").encode(),
    "another command": GOOD.replace("-m evcs", "-m pdb").encode(),
    "environment": (GOOD + 'environment=LD_PRELOAD="/x.so"\n').encode(),
    "a comment": b"; hello\n" + GOOD.encode(),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_a_written_section_is_as_it_should_be(folder: Path) -> None:
    files = SectionFiles(folder)
    files.write("CP-001")
    assert files.texts() == {"CP-001": GOOD}
    assert files.unexpected() == []
    files.erase("CP-001")
    assert list(folder.iterdir()) == []
    files.erase("CP-001")


def test_a_pipe_in_the_place_of_a_section_holds_nobody_up(folder: Path) -> None:
    files, pipe = SectionFiles(folder), folder / "CP-001.conf"
    os.mkfifo(pipe)
    assert files.texts() == {"CP-001": ""}
    assert files.unexpected() == [pipe]
    files.write("CP-001")
    assert files.unexpected() == []


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_section_that_differs_by_a_byte_is_a_misfit(folder: Path, content: bytes) -> None:
    files, path = SectionFiles(folder), folder / "CP-001.conf"
    files.write("CP-002")
    path.write_bytes(content)
    assert files.unexpected() == [path]
    assert files.texts()["CP-001"] != GOOD
    goal = files.quarantine(path)
    assert goal.read_bytes() == content
    assert not goal.match("*.conf")
    assert set(files.texts()) == {"CP-002"}
    assert files.unexpected() == []


@pytest.mark.parametrize("kind", ["folder", "dangling link", "link to itself"])
def test_what_can_not_be_read_is_a_misfit(folder: Path, kind: str) -> None:
    files, path = SectionFiles(folder), folder / "CP-001.conf"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == "link to itself" else "nowhere")
    assert files.texts() == {"CP-001": None}
    assert files.unexpected() == [path]
    files.quarantine(path)
    assert files.unexpected() == []
    files.write("CP-001")
    assert files.texts() == {"CP-001": GOOD}


@pytest.mark.parametrize("name", ["a b", "x.y", "ä", "[", "%(here)s", "-x", "x" * 33, ""])
def test_a_file_of_a_foreign_name_is_a_misfit_but_no_cp(folder: Path, name: str) -> None:
    path = folder / f"{name}.conf"
    path.write_text("[program:evil]\ncommand=/bin/true\n")
    files = SectionFiles(folder)
    assert files.texts() == {}
    assert files.unexpected() == [path]


def test_what_supervisord_does_not_read_is_left_alone(folder: Path) -> None:
    for name in (".gitkeep", "CP-001.conf.broken", "CP-001.conf~", "notes.txt"):
        (folder / name).write_text("x")
    assert SectionFiles(folder).unexpected() == []


def test_what_is_set_aside_never_takes_anothers_place(folder: Path) -> None:
    files, path, goals = SectionFiles(folder), folder / "CP-001.conf", []
    for text in ("one", "two", "three"):
        path.write_text(text)
        goals.append(files.quarantine(path))
    assert [goal.read_text() for goal in goals] == ["one", "two", "three"]
