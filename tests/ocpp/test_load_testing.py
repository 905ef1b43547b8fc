"""docs/load-testing.md: its commands as they stand, with each of the back ends that it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import ports
from tests.docs import pages
from tests.ocpp.conftest import listens
from tests.ocpp.rpc_peer import FOLDER
from tests.system_under_test import ROOT, System, eventually

PAGE = ROOT / "docs" / "load-testing.md"
EXAMPLES = ROOT / "docs" / "load-testing"
COUNT = 4
BACK_ENDS = {
    "ocpp": [sys.executable, str(EXAMPLES / "central_system.py")],
    "ocpp-rpc": ["node", str(EXAMPLES / "central-system.js")],
}


class Reader:
    """Who reads the page and types what it says, with fewer CPs and another port and file."""

    def __init__(self, system: System, folder: Path, port: int) -> None:
        self.system, self.folder, self.port = system, folder, port
        self.file = folder / "charges.txt"
        (folder / "bin").symlink_to(ROOT / "bin")
        self._left = [
            line for kind, body, _ in pages.blocks(PAGE) if kind == "sh"
            for line in body.splitlines() if line.startswith(("bin/evcs", "awk"))
        ]  # fmt: skip

    def types(self, begin: str) -> str:
        """The next command, which begins so; what it prints."""
        typed = self._left.pop(0)
        assert typed.startswith(begin), (typed, begin)
        for shown, meant in (
            ("{001..100}", f"{{001..{COUNT:03}}}"), ("9000", str(self.port)),
            ("/tmp/charges.txt", str(self.file)),
        ):  # fmt: skip
            typed = typed.replace(shown, meant)
        done = subprocess.run(
            ["bash", "-c", typed], cwd=self.folder, env=self.env, capture_output=True, text=True,
            timeout=180, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (typed, done.stdout, done.stderr)
        return done.stdout

    @property
    def env(self) -> dict[str, str]:
        """The system's, and what a shell has."""
        return {**self.system.env, "PATH": os.environ["PATH"]}

    @contextmanager
    def back_end(self, kind: str) -> Iterator[None]:
        """One of the page's, until it is killed."""
        process = subprocess.Popen(
            [*BACK_ENDS[kind], str(self.port), str(self.file)], cwd=self.folder,
            env={**self.env, "NODE_PATH": str(FOLDER / "node_modules")},
        )  # fmt: skip
        try:
            eventually("it listens", lambda: listens(self.port))
            yield
        finally:
            process.kill()
            process.wait()

    def until(self, kind: str, lines: int) -> None:
        """Wait for so many begins or ends at the back end."""
        pattern = re.compile(f"^{kind} ", re.MULTILINE)
        eventually(
            f"{lines} {kind}", lambda: len(pattern.findall(self.file.read_text())) >= lines, 60
        )

    def are(self, field: str, value: str) -> None:
        """Wait until all CPs are so."""
        eventually(
            f"{field} {value}",
            lambda: [one[field] for one in self.system.ok("evcs-cp", "list", "--json").json]
            == [value] * COUNT,
            60, every_s=0.5,
        )  # fmt: skip


@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", BACK_ENDS)
def test_the_page_goes_as_it_stands(
    new_system: Callable[..., System], tmp_path: Path, kind: str
) -> None:
    (port,) = ports.free(1)
    reader = Reader(new_system(), tmp_path, port)
    with reader.back_end(kind):
        reader.types("bin/evcs up")
        assert reader.types("bin/evcs-cp create").count("ACTIVATED") == COUNT
        reader.are("backend_state", "connected")
        assert reader.types("bin/evcs-cp list").count("OUT-") == COUNT
        assert "connected" in reader.types("bin/evcs-cp backend")
        reader.types("bin/evcs-cp plug")
        reader.until("begin", COUNT)
        reader.are("state", "SUPPLYING")
        assert reader.types("bin/evcs-cp list").count("OUT-") == COUNT
    reader.are("backend_state", "away")
    with reader.back_end(kind):
        reader.types("bin/evcs restart")
        reader.types("bin/evcs-cp kill")
        reader.are("state", "SUPPLYING")
        reader.types("bin/evcs-cp unplug")
        reader.until("end", COUNT)
        theirs = reader.types("awk")
        ours = reader.types("bin/evcs sessions")
        assert theirs.split() == ours.split()
        count, wh = map(int, ours.split())
        assert (count, wh > 0) == (COUNT, True)
