"""`bin/bench --quick`: each benchmark works and leaves table, figures beside a floor, picture."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import NAMES
from tests.system_under_test import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """All of them run once: where the results are, and what was printed."""
    out = tmp_path_factory.mktemp("bench")
    run = subprocess.run(
        [str(ROOT / "bin" / "bench"), "--quick", "--out", str(out)],
        capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return out, run.stdout


@pytest.mark.timeout(300)
def test_all_run_and_are_printed(
    done: tuple[Path, str], record_property: Callable[[str, object], None]
) -> None:
    _, printed = done
    record_property("print", printed)
    for name in NAMES:
        assert __import__(f"bench.{name}", fromlist=["TITLE"]).TITLE in printed


@pytest.mark.parametrize("name", NAMES)
def test_each_leaves_its_figures_beside_a_floor(done: tuple[Path, str], name: str) -> None:
    out, _ = done
    found: dict[str, Any] = json.loads((out / f"{name}.json").read_text())
    assert found["quick"] is True
    assert found["machine"]["cpus"]
    assert found["series"]
    for one in found["series"]:
        runs = one["ours"]["runs"]
        assert runs
        assert one["ours"]["min"] <= one["ours"]["median"] <= one["ours"]["max"]
        assert len(one["load"]) == len(runs)
        if one["floor"]:
            assert len(one["floor"]["runs"]) == len(runs)
            assert one["floor"]["median"] >= 0
        if one["aim"] and "floor" in one["aim"]:
            assert one["ratio"] > 0
    assert any(one["floor"] for one in found["series"])
    picture = ElementTree.fromstring((out / f"{name}.svg").read_text())
    panels = {one["what"] for one in found["series"]}
    assert len(picture.findall(f"{SVG}g")) == len(panels)


def test_a_power_cut_takes_no_cp(done: tuple[Path, str]) -> None:
    series = json.loads((done[0] / "power_cut.json").read_text())["series"]
    back = [one for one in series if one["what"] == "CPs back"]
    assert back
    assert all(one["ours"]["runs"] == [one["size"]] * len(one["load"]) for one in back)
