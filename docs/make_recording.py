"""Makes docs/recording.cast and .svg from a real session: python docs/make_recording.py

It starts a system in a home of its own on free ports, runs the commands below at a terminal
of its own, writes what came and when (asciicast, version 2) and draws the screen after each
command as an animated picture. It ends everything.
"""

from __future__ import annotations

import codecs
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import time
from fcntl import ioctl
from html import escape
from itertools import pairwise
from pathlib import Path
from termios import TIOCSWINSZ
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402
from rich.style import Style  # noqa: E402
from rich.terminal_theme import MONOKAI  # noqa: E402
from rich.text import Text  # noqa: E402

from tests.system_under_test import System  # noqa: E402

COMMANDS = (
    "bin/evcs up --wait",
    "bin/evcs-cp create 'CP-{001..003}' --price-eur-kwh 0.31",
    "bin/evcs driver add ALICE BOB",
    "bin/evcs-driver charge CP-001 --driver ALICE --kwh 0.5",
    "bin/evcs-driver charge CP-002 --driver BOB --kwh 4 --no-watch",
    "bin/evcs-cp stop CP-003",
    'kill -9 "$(cat $EVCS_HOME/run/supervisord.pid)"    # the power goes',
    "bin/evcs status",
    "bin/evcs up --wait",
    "bin/evcs-cp list",
    "bin/evcs restart && bin/evcs-cp list",
    "bin/evcs-driver stop --driver BOB && bin/evcs sessions",
)
COLUMNS, ROWS = 124, 26
PROMPT = "\x1b[32m$\x1b[0m "
A_KEY_S, LONGEST_S, READ_S = 0.03, 1.5, 1.6
CAST, PICTURE = ROOT / "docs" / "recording.cast", ROOT / "docs" / "recording.svg"
CHAR, LINE, EDGE = 8.4, 18, 14
_CONSOLE = Console()
#: A bar that has done its work: its line is gone back to, and emptied.
_TAKEN_BACK = re.compile(r"[^\n]*\n(?:\x1b\[\?25h)?\r?\x1b\[1A\x1b\[2K")


class Event(NamedTuple):
    """What came at a terminal, and after how many seconds."""

    at: float
    text: str


def run(command: str, system: System, folder: Path) -> list[Event]:
    """A command's output at a terminal; pauses are cut to LONGEST_S."""
    leader, follower = pty.openpty()
    ioctl(follower, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {**system.env, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=env, stdin=follower, stdout=follower,
        stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found: list[Event] = []
    at, before = 0.0, time.monotonic()
    while True:
        ready, _, _ = select.select([leader], [], [], 0.1)
        try:
            data = os.read(leader, 65_536) if ready else b""
        except OSError:  # nobody holds the other end any more
            break
        if data:
            now = time.monotonic()
            at, before = at + min(now - before, LONGEST_S), now
            found.append(Event(at, decoder.decode(data)))
        elif process.poll() is not None:
            break
    os.close(leader)
    process.wait()
    return found


def record(system: System, folder: Path) -> tuple[list[Event], list[float]]:
    """All commands, typed; and the times at which each one's output is complete."""
    events, ends, at = [Event(0.0, PROMPT)], [], 0.5
    for command in COMMANDS:
        for key in command:
            events.append(Event(at, key))
            at += A_KEY_S
        events.append(Event(at, "\r\n"))
        came = run(command, system, folder)
        events += [Event(at + one.at, one.text) for one in came]
        at += (came[-1].at if came else 0.0) + 0.05
        ends.append(at)
        at += READ_S
        events.append(Event(at, PROMPT))
        at += 0.3
    return events, ends


def cast(events: list[Event]) -> str:
    """The events as asciicast, version 2."""
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "evcs in a minute"}
    rows = [json.dumps(head), *(json.dumps([round(at, 3), "o", text]) for at, text in events)]
    return "\n".join(rows) + "\n"


def screen(events: list[Event], until: float) -> list[Text]:
    """The last lines at that time: added to, begun anew by a return, or taken back."""
    text = "".join(one.text for one in events if one.at <= until)
    text = _TAKEN_BACK.sub("", text)
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return [Text.from_ansi(line) for line in lines[-ROWS:]]


def colour(style: Style) -> str:
    """A style as SVG has it."""
    found = "" if style.color is None else f' fill="{style.color.get_truecolor(MONOKAI).hex}"'
    return found + (' font-weight="bold"' if style.bold else "")


def drawn(lines: list[Text]) -> str:
    """Lines as SVG text, each run of a colour in its column."""
    found = []
    for row, line in enumerate(lines):
        y, plain = EDGE + LINE * (row + 1) - 4, line.plain
        cuts = sorted({0, len(plain), *(end for span in line.spans for end in span[:2])})
        for start, end in pairwise(cuts):
            part = plain[start:end]
            if part.strip():
                style = line.get_style_at_offset(_CONSOLE, start)
                x = EDGE + CHAR * start
                found.append(f'<text x="{x:g}" y="{y}"{colour(style)}>{escape(part)}</text>')
    return "".join(found)


def picture(events: list[Event], ends: list[float]) -> str:
    """The screen after each command, one after the other; the last where nothing may move."""
    whole = ends[-1] + 4.0
    shows = [*zip([0.0, *ends[:-1]], ends, strict=True)]
    width, height = round(2 * EDGE + CHAR * COLUMNS), 2 * EDGE + LINE * ROWS
    rules, frames = [], []
    for number, (_, end) in enumerate(shows):
        last = number == len(shows) - 1
        begins = 100 * (0.0 if number == 0 else end) / whole
        ends_at = 100.0 if last else 100 * shows[number + 1][1] / whole
        rules.append(
            f"@keyframes f{number}{{0%{{opacity:{int(number == 0)}}}{begins:.2f}%{{opacity:1}}"
            f"{ends_at:.2f}%{{opacity:{int(last)}}}100%{{opacity:0}}}}"
            f"#f{number}{{animation:f{number} {whole:.1f}s steps(1,end) infinite}}"
        )
        shown = "1" if last else "0"
        frames.append(f'<g id="f{number}" opacity="{shown}">{drawn(screen(events, end))}</g>')
    style = (
        "text{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "white-space:pre}" + "".join(rules)
        + "@media(prefers-reduced-motion:reduce){g{animation:none!important}}"
    )  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" fill="#d9d9d9">\n'
        f"<title>evcs in a minute</title>\n"
        f'<desc>{escape("; ".join(COMMANDS))}</desc>\n<style>{style}</style>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0c0c0c"/>\n' + "\n".join(frames)
        + "\n</svg>\n"
    )  # fmt: skip


def main() -> None:
    """Record and draw."""
    with tempfile.TemporaryDirectory(prefix="evcs-") as name:
        folder = Path(name)
        (folder / "bin").symlink_to(ROOT / "bin")
        system = System(folder / "home")
        try:
            events, ends = record(system, folder)
        finally:
            system.down()
    CAST.write_text(cast(events), encoding="utf-8")
    PICTURE.write_text(picture(events, ends), encoding="utf-8")


if __name__ == "__main__":
    main()
