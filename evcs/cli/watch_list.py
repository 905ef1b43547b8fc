"""`evcs-cp list --watch`: the list, drawn anew at each change, or a line a change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from evcs.cli import cp_changes
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.desired import FOR_OPERATOR, to_json

DRAW_EVERY_S = 0.5
Row = dict[str, Any]


def watch_list(
    ctx: CommandContext, wanted: Callable[[Row], bool], draw: Callable[[list[Row]], list[str]]
) -> None:
    """Show CPs until Ctrl-C: a table on a terminal, else each CP as it changes."""
    desired: dict[str, m.DesiredCp] = {}
    judged: dict[str, m.CpState] = {}
    shown: dict[str, Row] = {}
    subscriptions = [topics.filter_for(m.DesiredCp), topics.filter_for(m.CpState)]
    table = sys.stdout.isatty() and not ctx.out.json
    with BusProbe(ctx.settings, subscriptions) as probe:
        while True:
            for cp in _take_all(probe, desired, judged):
                row = _row(desired.get(cp), judged.get(cp))
                if row is not None and wanted(row) and shown.get(cp) != row and not table:
                    ctx.out.data(row, draw([row])[1:])
                shown[cp] = row or {}
            if table:
                rows = [_row(desired[cp], judged.get(cp)) for cp in sorted(desired)]
                lines = draw([row for row in rows if row is not None and wanted(row)])
                click.clear()
                ctx.out.data(None, lines)


def _take_all(
    probe: BusProbe, desired: dict[str, m.DesiredCp], judged: dict[str, m.CpState]
) -> list[str]:
    """Wait for messages and take those in that come together; the CPs they are of."""
    touched: dict[str, None] = {}
    message = probe.next(time.monotonic() + 3600)
    deadline = time.monotonic() + DRAW_EVERY_S
    while message is not None:
        if isinstance(message, m.DesiredCp):
            desired[message.cp] = message
            touched[message.cp] = None
        elif isinstance(message, m.CpState):
            judged[message.cp] = message
            touched[message.cp] = None
        elif isinstance(message, m.Cleared) and message.kind is m.DesiredCp:
            desired.pop(message.key["cp"], None)
            touched[message.key["cp"]] = None
        message = probe.next(deadline)
    return list(touched)


def _row(desired: m.DesiredCp | None, state: m.CpState | None) -> Row | None:
    if desired is None or desired.deleted:
        return None
    return cp_changes.shown(to_json(desired, FOR_OPERATOR), state)
