"""`bin/bench [NAME...] [--quick]`: measures, prints, and keeps JSON and a picture."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from bench import NAMES, results, svg
from bench.plan import Plan
from evcs.cli.common import table
from evcs.config import INSTALL_ROOT
from evcs.core.errors import Denied

KEPT = INSTALL_ROOT / "bench" / "results"
PAGE = INSTALL_ROOT / "docs" / "make_benchmarks.py"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small sizes, one run of each: does it work at all?")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path),
    help="Folder for JSON and pictures; bench/results if not said, a new one with --quick.",
)  # fmt: skip
def main(names: tuple[str, ...], quick: bool, out: Path | None) -> None:
    """Measure this system beside a floor in the same run. Without a NAME: everything."""
    out = out or (Path(tempfile.mkdtemp(prefix="evcs-bench-")) if quick else KEPT)
    for name in names or NAMES:
        try:
            _measure(name, quick, out)
        except Denied as error:
            if names:
                raise
            click.echo(f"LEFT OUT, {name}: {error.message}", err=True)
    click.echo(f"results: {out}", err=True)
    if out == KEPT:
        subprocess.run([sys.executable, "-P", PAGE], check=True)
        click.echo("docs/benchmarks.md is written anew", err=True)


def _measure(name: str, quick: bool, out: Path) -> None:
    module = importlib.import_module(f"bench.{name}")
    click.echo(f"== {name}: {module.TITLE} (load {os.getloadavg()[0]:.1f})", err=True)
    began = time.monotonic()
    series = module.run(Plan(quick, lambda text: click.echo(f"   {text}", err=True)))
    took_s = time.monotonic() - began
    found = results.report(name, module.TITLE, series, quick, took_s)
    results.write(out / f"{name}.json", found)
    if out != KEPT:  # those are drawn into the page
        (out / f"{name}.svg").write_text(svg.draw(found), encoding="utf-8")
    lines = table([cell.upper() for cell in results.HEAD], results.rows(found))
    click.echo(f"\n{module.TITLE}, {took_s:.0f} s")
    click.echo("\n".join(lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main(prog_name="bench")
