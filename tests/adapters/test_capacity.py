"""What a machine carries, as far as supervisord's open files go."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from evcs.adapters import capacity
from evcs.adapters.supervisord import supervisord_pid
from evcs.core.errors import NoRoom
from evcs.home import Home
from tests.system_under_test import eventually


def test_as_many_as_supervisord_has_files_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.supervisord_pid.parent.mkdir()
    asleep = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", asleep, str(home.supervisord_conf)], stdin=subprocess.PIPE
    ) as one:
        try:
            home.supervisord_pid.write_text(str(one.pid))
            eventually("it is what it is taken for", lambda: supervisord_pid(home), 20)
            files = capacity.FDS_BASE + 10 * capacity.FDS_A_CP
            resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (files, files))
            capacity.check_room(home, 2, 8)
            with pytest.raises(NoRoom, match="carries 10 CPs; 11 are wanted"):
                capacity.check_room(home, 2, 9)
        finally:
            one.kill()


def test_without_a_supervisord_memory_alone_counts(tmp_path: Path) -> None:
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // capacity.CP_BYTES
    capacity.check_room(Home(tmp_path), 10**6, 0)
    with pytest.raises(NoRoom, match="memory"):
        capacity.check_room(Home(tmp_path), 0, most + 1)
