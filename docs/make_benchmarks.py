"""Writes bench/results/ into docs/benchmarks.md: `docs/make_benchmarks.py [--check]`.

What stands between `<!-- benchmarks -->` and `<!-- /benchmarks -->` is replaced by a table for
each result, and docs/benchmarks/NAME.svg is drawn. With --check nothing is written, and what
is stale makes it exit 1.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import NAMES  # noqa: E402
from bench.results import HEAD, rows  # noqa: E402
from bench.svg import draw  # noqa: E402

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "benchmarks"
RESULTS = ROOT / "bench" / "results"
_BLOCK = re.compile(r"(<!-- benchmarks -->\n).*?(<!-- /benchmarks -->)", re.DOTALL)


def found() -> list[Any]:
    """The results that are kept, in the order in which they are measured."""
    paths = [RESULTS / f"{name}.json" for name in NAMES]
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]


def section(one: Any) -> str:
    """One benchmark as a heading, its table and its picture."""
    loads = [load for series in one["series"] for load in series["load"]]
    runs = sorted({len(series["ours"]["runs"]) for series in one["series"]})
    how_often = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    made = (
        f"`bin/bench {one['name']}`, {one['date']}, {how_often} runs of each figure, load "
        f"{min(loads):.1f} to {max(loads):.1f}, {one['took_s']} s in all."
    )
    lines = [
        f"### {one['title']}",
        "",
        made,
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---" * len(HEAD) + "|",
        *("| " + " | ".join(row) + " |" for row in rows(one)),
        "",
        f"![{one['title']}](benchmarks/{one['name']}.svg)",
        "",
    ]
    return "\n".join(lines)


def summary(results: list[Any]) -> str:
    """The machine, and a section for each result."""
    if not results:
        return "No results are kept yet.\n"
    machine = results[0]["machine"]
    head = (
        f"Machine: {machine['cpus']} CPUs ({machine['model']}), {machine['memory_gib']} GiB, "
        f"Linux {machine['linux']}, Python {machine['python']}, mosquitto {machine['mosquitto']}, "
        f"supervisor {machine['supervisor']}, paho {machine['paho']}.\n"
    )
    return "\n".join([head, *map(section, results)])


def wanted() -> dict[Path, str]:
    """File -> what it should say. Raises ValueError where the page has no place for it."""
    results = found()
    page = PAGE.read_text(encoding="utf-8")
    if not _BLOCK.search(page):
        raise ValueError(f"{PAGE.name} has no place for the benchmarks")
    text = summary(results)
    pictures = {PICTURES / f"{one['name']}.svg": draw(one) for one in results}
    return {PAGE: _BLOCK.sub(lambda m: f"{m[1]}{text}{m[2]}", page), **pictures}


def main(arguments: list[str]) -> None:
    """Write page and pictures, or check them."""
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/make_benchmarks.py [--check]")
    for path, text in wanted().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if arguments:
            sys.exit(f"{path} is stale; run: .venv/bin/python docs/make_benchmarks.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
