"""`evcs-cp list --watch`: the list, drawn anew at each change, or a line a change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from evcs.cli import fleet
from evcs.cli.common import Call
from evcs.cli.observer import Observer
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.desired import to_json

DRAW_EVERY_S = 0.5
Row = dict[str, Any]


def watch_list(
    call: Call, wanted: Callable[[Row], bool], draw: Callable[[list[Row]], list[str]]
) -> None:
    """Show CPs until Ctrl-C: a table on a terminal, else each CP as it changes."""
    desired: dict[str, m.DesiredCp] = {}
    judged: dict[str, m.JudgedState] = {}
    told: dict[str, Row] = {}
    subscriptions = [topics.of_kind(m.DesiredCp), topics.of_kind(m.JudgedState)]
    table = sys.stdout.isatty() and not call.out.json
    with Observer(call.settings, subscriptions) as observer:
        while True:
            for cp in _take_all(observer, desired, judged):
                row = _row(desired.get(cp), judged.get(cp))
                if row is not None and wanted(row) and told.get(cp) != row and not table:
                    call.out.data(row, draw([row])[1:])
                told[cp] = row or {}
            if table:
                rows = [_row(desired[cp], judged.get(cp)) for cp in sorted(desired)]
                lines = draw([row for row in rows if row is not None and wanted(row)])
                click.clear()
                call.out.data(None, lines)


def _take_all(
    observer: Observer, desired: dict[str, m.DesiredCp], judged: dict[str, m.JudgedState]
) -> list[str]:
    """Wait for messages and take those in that come together; the CPs they are of."""
    touched: dict[str, None] = {}
    message = observer.next(time.monotonic() + 3600)
    deadline = time.monotonic() + DRAW_EVERY_S
    while message is not None:
        if isinstance(message, m.DesiredCp):
            desired[message.cp] = message
            touched[message.cp] = None
        elif isinstance(message, m.JudgedState):
            judged[message.cp] = message
            touched[message.cp] = None
        elif isinstance(message, m.Cleared) and message.kind is m.DesiredCp:
            desired.pop(message.key["cp"], None)
            touched[message.key["cp"]] = None
        message = observer.next(deadline)
    return list(touched)


def _row(desired: m.DesiredCp | None, state: m.JudgedState | None) -> Row | None:
    if desired is None or desired.deleted:
        return None
    return fleet.merged(to_json(desired), state)
