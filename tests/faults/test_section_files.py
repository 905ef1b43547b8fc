"""A4: section files broken in every way; the others boot, and nothing foreign runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evcs.core.sections import render
from tests.faults.invariants import wait_until_consistent
from tests.system_under_test import System, eventually

FOREIGN = "[program:foreign]\ncommand=touch {home}/foreign-ran\nautostart=true\nstartsecs=0\n"


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-{001..003}")
    return system


def _ways(cp: str, home: Path) -> dict[str, bytes]:
    good = render(cp).encode()
    lines = good.decode().splitlines(keepends=True)

    def swap(old: str, new: str) -> bytes:
        assert old in good.decode()
        return good.replace(old.encode(), new.encode())

    return {
        "percent": swap("autorestart=true", "autorestart=%"),
        "bad expansion": swap("ENV_EVCS_PYTHON", "ENV_NO_SUCH_NAME"),
        "byte order mark": b"\xef\xbb\xbf" + good,
        "bad UTF-8": good + b"\xff\xfe\n",
        "NUL": good.replace(b"engine", b"eng\0ine"),
        "no command": "".join(x for x in lines if not x.startswith("command")).encode(),
        "unknown user": good + b"user=no_such_user_here\n",
        "missing folder": swap("/log/", "/no/such/folder/"),
        "empty": b"",
        "blank": b"\n\n",
        "garbage": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        "no section header": b"command=true\n",
        "half a header": f"[program:{cp}".encode(),
        "torn": good[: len(good) // 2],
        "doubled": good + good,
        "group without programs": f"[group:{cp}]\n".encode(),
        "unknown program": f"[group:{cp}]\nprograms=nobody\n".encode(),
        "bad number": swap("startsecs=1", "startsecs=soon"),
        "bad size": swap("1MB", "lots"),
        "bad signal": good + b"stopsignal=NONE\n",
        "bad boolean": swap("redirect_stderr=true", "redirect_stderr=perhaps"),
        "bad priority": good + b"priority=first\n",
        "other CP's group": render("CP-003").encode(),
        "a supervisord section": b"[supervisord]\nlogfile=/dev/null\n" + good,
        "an include": b"[include]\nfiles=/etc/*.conf\n",
        "another program besides": good + FOREIGN.format(home=home).encode(),
        "windows line ends": good.replace(b"\n", b"\r\n"),
    }


def test_broken_before_the_start(fleet: System) -> None:
    """Each way at a CP of its own, all at one start."""
    ways = list(_ways("", fleet.home))
    assert len(ways) == 27
    folder = fleet.home / "conf" / "supervisord.d"
    broken = {f"W-{number:02d}": way for number, way in enumerate(ways, 1)}
    fleet.ok("evcs-cp", "create", "W-{01..27}")
    fleet.ok("evcs", "down")
    for cp, way in broken.items():
        (folder / f"{cp}.conf").write_bytes(_ways(cp, fleet.home)[way])
    said = fleet.ok("evcs", "up", "--wait").err
    for cp, way in broken.items():
        assert f"{cp}.conf" in said, way
        assert (folder / f"{cp}.conf").read_text() == render(cp), way
        assert len(list(folder.glob(f"{cp}.conf.broken*"))) == 1, way
    assert set(fleet.states().values()) == {"ACTIVATED"}
    assert not (fleet.home / "foreign-ran").exists()
    fleet.ok("evcs-cp", "delete", "W-*", "--yes")
    wait_until_consistent(fleet)


def test_broken_while_running(fleet: System) -> None:
    before = fleet.steady()
    folder = fleet.home / "conf" / "supervisord.d"
    (folder / "CP-001.conf").write_bytes(b"[program:CP-001")
    (folder / "foreign.conf").write_text(FOREIGN.format(home=fleet.home))
    (folder / "CP-003.conf").unlink()
    fleet.ok("evcs-cp", "create", "CP-004")
    wait_until_consistent(fleet)
    now = fleet.steady()
    assert {name: now[name] for name in before} == before
    assert (folder / "foreign.conf.broken").exists()
    assert not (fleet.home / "foreign-ran").exists()
    assert (
        "foreign.conf is not a section of ours"
        in (fleet.home / "log" / "cp-manager.log").read_text()
    )


def test_section_that_vanished_is_written_again(fleet: System) -> None:
    before = fleet.steady()
    path = fleet.home / "conf" / "supervisord.d" / "CP-001.conf"
    path.unlink()
    eventually("written again", path.exists, 30)
    assert {n: p for n, p in fleet.processes().items() if n in before} == before


def test_section_that_is_a_folder_or_a_dead_link(fleet: System) -> None:
    folder = fleet.home / "conf" / "supervisord.d"
    (folder / "odd.conf").mkdir()
    (folder / "CP-009.conf").symlink_to("/no/such/place")
    fleet.ok("evcs-cp", "create", "CP-005")
    fleet.ok("evcs", "restart")
    wait_until_consistent(fleet)
