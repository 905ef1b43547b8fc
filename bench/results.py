"""What a benchmark found: series of runs, ours and the floor's, as table and JSON."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple


class Aim(NamedTuple):
    """What is aimed at. `holds` takes our median and its ratio to the floor's (None: no floor)."""

    text: str
    holds: Callable[[float, float | None], bool]


def at_most(limit: float, unit: str) -> Aim:
    """An aim in the figure's own unit."""
    return Aim(f"at most {limit:g} {unit}", lambda median, _: median <= limit)


def at_least(limit: float, unit: str) -> Aim:
    """The same, where more is better."""
    return Aim(f"at least {limit:g} {unit}", lambda median, _: median >= limit)


def exactly(value: float) -> Aim:
    """An aim that is this number and no other."""
    return Aim(f"{value:g}", lambda median, _: median == value)


def ratio_at_most(limit: float) -> Aim:
    """An aim beside the floor, where less is better."""
    return Aim(f"at most {limit:g} x floor", lambda _, ratio: ratio is not None and ratio <= limit)


def ratio_at_least(limit: float) -> Aim:
    """An aim beside the floor, where more is better."""
    return Aim(f"at least {limit:g} x floor", lambda _, ratio: ratio is not None and ratio >= limit)


class Series:
    """One figure at one size, measured several times; `load` is that before each run."""

    def __init__(self, size: int, what: str, unit: str, aim: Aim | None = None) -> None:
        self.size, self.what, self.unit, self.aim = size, what, unit, aim
        self.ours: list[float] = []
        self.floor: list[float] = []
        self.load: list[float] = []

    def add(self, load: float, ours: float, floor: float | None = None) -> None:
        """One run, and the floor's beside it."""
        self.load.append(round(load, 2))
        self.ours.append(ours)
        if floor is not None:
            self.floor.append(floor)

    def to_json(self) -> dict[str, Any]:
        """The runs and what they come to."""
        ours, floor = _spread(self.ours), _spread(self.floor) if self.floor else None
        ratio = ours["median"] / floor["median"] if floor and floor["median"] else None
        found: dict[str, Any] = {
            "size": self.size, "what": self.what, "unit": self.unit, "ours": ours, "floor": floor,
            "ratio": ratio, "aim": None, "holds": None, "load": self.load,
        }  # fmt: skip
        if self.aim is not None:
            found["aim"], found["holds"] = self.aim.text, self.aim.holds(ours["median"], ratio)
        return found


def load() -> float:
    """The machine's load average of the last minute, before a run."""
    return os.getloadavg()[0]


def percentile(values: Iterable[float], part: float) -> float:
    """The value that this part of all don't go over."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * part))]


def _spread(runs: Sequence[float]) -> dict[str, Any]:
    return {
        "median": statistics.median(runs), "min": min(runs), "max": max(runs), "runs": list(runs),
    }  # fmt: skip


def report(name: str, title: str, series: Sequence[Series], quick: bool, took_s: float) -> Any:
    """All that is kept of one benchmark."""
    return {
        "name": name,
        "title": title,
        "date": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
        "quick": quick,
        "took_s": round(took_s),
        "machine": machine(),
        "series": [one.to_json() for one in series],
    }


def write(path: Path, found: Any) -> None:
    """Keep a report as JSON, figures with four digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_short(found), indent=1) + "\n", encoding="utf-8")


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list) else value


def machine() -> dict[str, Any]:
    """What it ran on."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    broker = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\S+)", broker.stdout + broker.stderr)
    return {
        "cpus": os.cpu_count(),
        "model": model[1] if model else platform.machine(),
        "memory_gib": round(int(memory[1]) / 2**20) if memory else None,
        "linux": platform.release(),
        "python": platform.python_version(),
        "mosquitto": version[1] if version else None,
        "paho": metadata.version("paho-mqtt"),
        "supervisor": metadata.version("supervisor"),
    }


HEAD = ("size", "measured", "ours", "floor", "ratio", "aim", "holds")


def rows(found: Any) -> list[tuple[str, ...]]:
    """A report's lines: medians, with the least and the most of the runs."""
    return [
        (
            f"{one['size']:,}", one["what"], _cell(one["ours"], one["unit"]),
            _cell(one["floor"], one["unit"]) if one["floor"] else "",
            f"{one['ratio']:.2f}" if one["ratio"] is not None else "",
            one["aim"] or "", {True: "yes", False: "no", None: ""}[one["holds"]],
        )
        for one in found["series"]
    ]  # fmt: skip


def _cell(spread: dict[str, Any], unit: str) -> str:
    least, middle, most = (number(spread[key]) for key in ("min", "median", "max"))
    return f"{middle} {unit} ({least} to {most})"


def number(value: float) -> str:
    """Three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 0.1:
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:.3g}"
