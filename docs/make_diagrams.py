"""Draws the state tables into docs/architecture.md: `docs/make_diagrams.py [--check]`.

Each block between `<!-- diagram: NAME -->` and `<!-- /diagram -->` is replaced by the
Mermaid text that core gives for its table, so the picture can't say anything else than the
code. With --check nothing is written, and a stale block makes it exit 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evcs.core import charge_point, session_life  # noqa: E402

PAGE = ROOT / "docs" / "architecture.md"
DIAGRAMS: dict[str, Callable[[], str]] = {
    "charge_point": charge_point.diagram,
    "session": session_life.diagram,
}
_BLOCK = re.compile(r"(<!-- diagram: (\w+) -->\n).*?(<!-- /diagram -->)", re.DOTALL)


def drawn(page: str) -> str:
    """The page with every diagram as it is now. Raises ValueError where one has no block."""
    found = [match[2] for match in _BLOCK.finditer(page)]
    if sorted(found) != sorted(DIAGRAMS):
        raise ValueError(f"{PAGE.name} has the diagrams {found}, not {sorted(DIAGRAMS)}")
    return _BLOCK.sub(lambda m: f"{m[1]}```mermaid\n{DIAGRAMS[m[2]]()}```\n{m[3]}", page)


def main(arguments: list[str]) -> None:
    """Write the page, or check it."""
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/make_diagrams.py [--check]")
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if arguments and after != before:
        sys.exit(f"{PAGE} is stale; run: .venv/bin/python docs/make_diagrams.py")
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
