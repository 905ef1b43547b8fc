"""Draws what comes of frames into docs/ocpp.md: `docs/make_ocpp_tables.py [--check]`.

The tables are those of evcs/core/ocpp/rules.py, of the stations in evcs/services/gateway, and of
evcs/core/ocpp/station_16_orders.py, station_201_orders.py, station_201_variables.py. With --check
nothing is written, and a stale table makes it exit 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from evcs.core.ocpp.actions import Sender, actions  # noqa: E402
from evcs.core.ocpp.rules import NO_ID, Fault, Rule, Version  # noqa: E402
from evcs.core.ocpp.station_16 import Dialect16  # noqa: E402
from evcs.core.ocpp.station_201 import Dialect201  # noqa: E402
from evcs.core.ocpp.station_201_variables import VARIABLES  # noqa: E402
from evcs.services.gateway.service import STATIONS  # noqa: E402

PAGE = ROOT / "docs" / "ocpp.md"


def _row(rule: Rule) -> str:
    codes = [f"`{code}`" if (code := rule.answer(version)) else "-" for version in Version]
    message_id = "-" if rule.code is None else "its own" if rule.own_id else f'`"{NO_ID}"`'
    stays = "stays" if rule.close is None else f"closed, {rule.close}"
    return f"| {rule.what} | {' | '.join(codes)} | {message_id} | {stays} |"


def rules() -> list[str]:
    """What comes of a frame that is not as it should be."""
    head = "| what came | answer in 1.6 | answer in 2.0.1 | id of the answer | connection |"
    return [head, "|---|---|---|---|---|", *(_row(fault.rule) for fault in Fault)]


def messages(sender: Sender) -> list[str]:
    """What comes of each message that `sender` may send."""
    found = sorted({action for version in Version for action in actions(version, sender)})
    rows = (
        " | ".join([action, *(_meaning(version, sender, action) for version in Version)])
        for action in found
    )
    return ["| message | in 1.6 | in 2.0.1 |", "|---|---|---|", *(f"| {row} |" for row in rows)]


def _meaning(version: Version, sender: Sender, action: str) -> str:
    station = STATIONS[version]
    if action not in actions(version, sender):
        return "-"
    if sender is Sender.CENTRAL_SYSTEM:
        return station.sends.get(action, "by hand")
    if action in station.meanings:
        text = (station.meanings[action].__doc__ or "").partition("\n")[0].rstrip(".")
        return text[:1].lower() + text[1:]
    if action not in station.plain:
        return "`NotSupported`"
    word = station.plain[action].get("status")
    return "acknowledged" if word is None else f"answered `{word}`"


def orders() -> list[str]:
    """What an emulated station does at the word of its back end."""
    sender = Sender.CENTRAL_SYSTEM
    found = sorted({action for version in Version for action in actions(version, sender)})
    rows = (
        " | ".join([action, *(_order(one, action) for one in (Dialect16, Dialect201))])
        for action in found
    )
    return ["| message | in 1.6 | in 2.0.1 |", "|---|---|---|", *(f"| {row} |" for row in rows)]


def _order(dialect: type[Dialect16 | Dialect201], action: str) -> str:
    if action not in actions(dialect.version, Sender.CENTRAL_SYSTEM):
        return "-"
    order = dialect.orders.get(action)
    if order is None:
        return "`NotSupported`"
    text = " ".join((order.__doc__ or "").split()).rstrip(".")
    return text[:1].lower() + text[1:]


def variables() -> list[str]:
    """The components of an emulated station of 2.0.1, and their variables with their values."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for name, one in VARIABLES.items():
        component, _, variable = name.partition(".")
        shown = f"{variable} `{one.key.default}`" if one.key.default else variable
        found.setdefault(component, ([], []))[one.key.read is None].append(shown)
    rows = [
        f"| {component} | {', '.join(settable) or '-'} | {', '.join(fixed) or '-'} |"
        for component, (settable, fixed) in found.items()
    ]
    return ["| component | can be set | can be read |", "|---|---|---|", *rows]


def drawn(page: str) -> str:
    """The page with the tables as they are now. Raises ValueError where it has no place for one."""
    tables = {
        "rules": rules(),
        "from chargers": messages(Sender.CHARGER),
        "to chargers": messages(Sender.CENTRAL_SYSTEM),
        "from a back end": orders(),
        "variables": variables(),
    }
    for name, lines in tables.items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not (begin and end):
            raise ValueError(f"{PAGE.name} has no <!-- {name} --> block")
        page = "".join([before, begin, *(f"{line}\n" for line in lines), end, after])
    return page


def main(arguments: list[str]) -> None:
    """Write the page, or check it."""
    if arguments not in ([], ["--check"]):
        sys.exit("usage: docs/make_ocpp_tables.py [--check]")
    before = PAGE.read_text(encoding="utf-8")
    after = drawn(before)
    if arguments and after != before:
        sys.exit(f"{PAGE} is stale; run: .venv/bin/python docs/make_ocpp_tables.py")
    if after != before:
        PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
