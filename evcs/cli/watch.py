"""`evcs watch`: everything that is said on the bus, a line each, until Ctrl-C."""

from __future__ import annotations

import time
from typing import Any, NamedTuple, NoReturn

import click

from evcs.adapters.clock import timestamp
from evcs.cli import names
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext, command
from evcs.cli.options import known_cps
from evcs.cli.terminal import join, style
from evcs.core import bus_line, topics
from evcs.core import messages as m
from evcs.core.ids import check_id
from evcs.core.ocpp.frame_line import frame_line
from evcs.core.ports import Received

WHO_WIDTH, WHAT_WIDTH = 16, 16


class RawMessage(NamedTuple):
    """A message as it came; `payload` None where it can't be read or is empty."""

    topic: str
    raw: bytes
    payload: dict[str, Any] | None


def add_to(program: click.Group) -> None:
    """Add `watch` to `evcs`."""

    @command(program)
    @click.option("--cp", "cps", multiple=True, metavar="NAME", shell_complete=known_cps,
                  help="Only of this CP; repeatable.")  # fmt: skip
    @click.option("--raw", is_flag=True, help="Topic and payload as they are.")
    @click.option("--new", is_flag=True, help="Not what the broker kept from before.")
    @click.option("--ocpp", is_flag=False, flag_value="", metavar="[NAME]",
                  help="OCPP frames alone, of this CP's charger or of all.")  # fmt: skip
    def watch(
        ctx: CommandContext, cps: tuple[str, ...], raw: bool, new: bool, ocpp: str | None
    ) -> None:
        """Show the bus, a line a message.

        Time, who, of what, what changed; until Ctrl-C.

        Examples:
          evcs watch --cp CP-001
          evcs watch --ocpp
        """
        if ocpp is not None:
            _watch_frames(ctx, check_id("CP", ocpp) if ocpp else None, raw)
        wanted = [check_id("CP", cp) for cp in cps]
        for cp in wanted:
            if wrong := names.missing(ctx.settings.home, cp):
                ctx.out.say(f"{wrong.message} yet; {wrong.hint}")
        before: dict[str, dict[str, str]] = {}
        with BusProbe(ctx.settings, [topics.subtree()], decode=_decode) as probe:
            while True:
                event = probe.receive(time.monotonic() + 3600)
                if event is None or (new and event.retained):
                    continue
                message: Any = event.message
                if not wanted or any(
                    bus_line.concerns(message.topic, message.payload, cp) for cp in wanted
                ):
                    _print(ctx, event, raw, before)


def _watch_frames(ctx: CommandContext, cp: str | None, raw: bool) -> NoReturn:
    """Show what chargers say and are told, passwords masked."""
    filters = [topics.filter_for(m.StationFrame)]
    if cp is not None:
        filters.append(topics.filter_for(m.DesiredCp, cp=cp))
    station: str | None = None
    with BusProbe(ctx.settings, filters) as probe:
        while True:
            event = probe.receive(time.monotonic() + 3600)
            message: Any = event and event.message
            if isinstance(message, m.DesiredCp):
                station = message.station
            elif isinstance(message, m.StationFrame) and (cp is None or message.station == station):
                at = timestamp()
                line = message.frame if raw else frame_line(message.frame)
                shown = join(ctx.out.clock(at), f"{message.station:<{WHO_WIDTH}}",
                             f"{message.dir:<3}", line, by="  ")  # fmt: skip
                ctx.out.data({"at": at, **message._asdict()}, shown)


def _decode(topic: str, raw: bytes) -> RawMessage:
    try:
        return RawMessage(topic, raw, topics.parse_object(raw) if raw else None)
    except topics.Unreadable:
        return RawMessage(topic, raw, None)


def _print(
    ctx: CommandContext, event: Received, raw: bool, before: dict[str, dict[str, str]]
) -> None:
    message: Any = event.message
    at = str((message.payload or {}).get("ts") or timestamp())[:40]
    report = {"at": at, "topic": message.topic, "payload": message.payload,
              "retained": event.retained}  # fmt: skip
    if raw or ctx.out.json:
        ctx.out.data(report, f"{message.topic} {message.raw.decode('utf-8', 'replace')}")
        return
    if message.raw and message.payload is None:
        line = bus_line.Line(*bus_line.speaker(message.topic), "can't be read")
    else:
        line = bus_line.describe(message.topic, message.payload, before.get(message.topic, {}))
        before[message.topic] = bus_line.flat(message.payload or {})
    if line.changed:
        who = style(f"{line.who:<{WHO_WIDTH}}", bold=True)
        what = f"{line.what:<{WHAT_WIDTH}}"
        ctx.out.data(report, join(ctx.out.clock(at), who, what, line.changed, by="  "))
