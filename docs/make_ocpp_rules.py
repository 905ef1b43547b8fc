"""Draws what comes of wrong frames into docs/ocpp.md: `docs/make_ocpp_rules.py [--check]`.

The table is that of evcs/core/ocpp/rules.py. With --check nothing is written, and a stale table
makes it exit 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evcs.core.ocpp.rules import NO_ID, Fault, Rule, Version  # noqa: E402

PAGE = ROOT / "docs" / "ocpp.md"
_BLOCK = re.compile(r"(<!-- rules -->\n).*?(<!-- /rules -->)", re.DOTALL)


def _row(rule: Rule) -> str:
    codes = [f"`{code}`" if (code := rule.answer(version)) else "-" for version in Version]
    message_id = "-" if rule.code is None else "its own" if rule.own_id else f'`"{NO_ID}"`'
    stays = "stays" if rule.close is None else f"closed, {rule.close}"
    return f"| {rule.what} | {' | '.join(codes)} | {message_id} | {stays} |"


def table() -> str:
    """The table as Markdown."""
    head = "| what came | answer in 1.6 | answer in 2.0.1 | id of the answer | connection |"
    return "\n".join([head, "|---|---|---|---|---|", *(_row(fault.rule) for fault in Fault)]) + "\n"


def drawn(page: str) -> str:
    """The page with the table as it is now. Raises ValueError where it has no place for it."""
    if len(_BLOCK.findall(page)) != 1:
        raise ValueError(f"{PAGE.name} has no <!-- rules --> block")
    return _BLOCK.sub(lambda m: f"{m[1]}{table()}{m[2]}", page)


def main(arguments: list[str]) -> None:
    """Write the page, or check it."""
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/make_ocpp_rules.py [--check]")
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if arguments and after != before:
        sys.exit(f"{PAGE} is stale; run: .venv/bin/python docs/make_ocpp_rules.py")
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
