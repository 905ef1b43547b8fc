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
from tests.hosts.allowed import why_left_out
from tests.system_under_test import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", [one for one in NAMES if one != "hosts" or not why_left_out()])
def test_each_leaves_its_figures_beside_a_floor(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run = subprocess.run(
        [str(ROOT / "bin" / "bench"), name, "--quick", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    record_property("print", run.stdout)
    assert __import__(f"bench.{name}", fromlist=["TITLE"]).TITLE in run.stdout
    found: dict[str, Any] = json.loads((tmp_path / f"{name}.json").read_text())
    check_figures(found)
    picture = ElementTree.fromstring((tmp_path / f"{name}.svg").read_text())
    panels = {one["what"] for one in found["series"]}
    assert len(picture.findall(f"{SVG}g")) == len(panels)


def check_figures(found: dict[str, Any]) -> None:
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
        if one["what"].endswith("CPs back"):
            assert runs == [one["size"]] * len(runs), "a power cut takes no CP"
    assert any(one["floor"] for one in found["series"])
