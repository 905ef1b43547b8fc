"""The event stream: a snapshot, then one batch of deltas a second, made once for all readers.

A long snapshot comes in parts, so that no browser has to read all of it at one go.

A reader that falls behind what is kept gets a snapshot again instead of a growing queue.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from gevent.event import Event

from evcs.core import topics
from evcs.core.errors import Unreachable
from evcs.core.messages import CpState, Message
from evcs.services.web import shown
from evcs.services.web.snapshot import FleetSnapshot

#: In all for who shows neither token nor session, and so many more for the operator alone.
MAX_STREAMS, FOR_OPERATOR = 250, 50
KEPT_BATCHES = 30
BEAT_TICKS = 3
LONGEST_WAIT_S = 10.0
MAX_TAPPED = 100
#: CPs of a snapshot in one event.
PART = 500


def encode_event(name: str, data: Any) -> bytes:
    """One server-sent event."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()


def _in_parts(found: dict[str, Any]) -> list[bytes]:
    """A snapshot's first CPs with all else, then those that follow; `more` until the last.

    Sent one by one: of the whole each of a hundred readers would have a copy in the making.
    """
    cps = found["cps"]
    parts = [cps[first : first + PART] for first in range(0, max(len(cps), 1), PART)]
    events = [encode_event("snapshot", {**found, "cps": parts[0], "more": len(parts) > 1})]
    for number, part in enumerate(parts[1:], 2):
        events.append(encode_event("part", {"cps": part, "more": number < len(parts)}))
    return events


class Tap:
    """The bus messages of one CP, for one stream; the oldest are dropped.

    Those of which who reads it may see something; all of them, as long as he `sees_all`.
    """

    def __init__(self, cp: str, sees_all: Callable[[], bool]) -> None:
        self.cp, self.sees_all = cp, sees_all
        self.dropped = 0
        self._messages: deque[dict[str, str]] = deque(maxlen=MAX_TAPPED)

    def take(self, message: Message, at: str) -> None:
        """A message as the bus had it."""
        publication = topics.encode(message, at)
        payload: bytes | None = publication.payload
        if not self.sees_all():
            payload = shown.for_all(message, publication.payload)
        if payload is None:
            return
        if len(self._messages) == MAX_TAPPED:
            self.dropped += 1
        self._messages.append({"topic": publication.topic, "payload": payload.decode()})

    def drain(self) -> list[dict[str, str]]:
        """What has come since the last call."""
        found = list(self._messages)
        self._messages.clear()
        return found


class Feed:
    """Turns the fleet's changes into batches. `tick` is called once a second.

    `timestamp` gives the time as people read it.
    `listen(cp, on)`: somebody begins to listen to a CP's messages, or nobody does any more.
    """

    def __init__(
        self, fleet: FleetSnapshot, timestamp: Callable[[], str],
        listen: Callable[[str, bool], None],
    ) -> None:  # fmt: skip
        self.streams = 0
        self.rows: dict[str, dict[str, Any]] = {}
        self._fleet, self._timestamp, self._listen = fleet, timestamp, listen
        self._seq = 0
        self._batches: deque[tuple[int, bytes]] = deque(maxlen=KEPT_BATCHES)
        self._snapshot: tuple[int, list[bytes]] | None = None
        self._last_head: dict[str, Any] = {}
        self._quiet_ticks = 0
        self._tick = Event()
        self._taps: list[Tap] = []
        self._closed = False

    def tick(self) -> list[str]:
        """Make a batch where something changed or a heartbeat is due; the CPs that are gone."""
        changes = self._fleet.drain()
        cps = [
            delta
            for cp in sorted(changes.changed)
            if (delta := self._delta(cp, changes.passed.get(cp)))
        ]
        removed = sorted(cp for cp in changes.removed if self.rows.pop(cp, None))
        head, cables = self._head(), self._fleet.circuits.drain()
        self._quiet_ticks += 1
        news = cps or removed or any(cables) or head != self._last_head
        if news or self._quiet_ticks >= BEAT_TICKS:
            self._quiet_ticks = 0
            self._last_head = head
            self._seq += 1
            batch = {
                "seq": self._seq,
                "at": self._timestamp(),
                **head,
                "cps": cps,
                "removed": removed,
                "circuits": [self._fleet.circuits.row(name) for name in cables.changed],
                "circuits_removed": cables.removed,
            }
            self._batches.append((self._seq, encode_event("delta", batch)))
        self._wake()
        return removed

    def snapshot(self) -> dict[str, Any]:
        """All that a page shows, as of the last batch."""
        rows = [self.rows[cp] for cp in sorted(self.rows)]
        circuits = [self._fleet.circuits.row(name) for name in self._fleet.circuits.names()]
        head = {"seq": self._seq, "at": self._timestamp(), **self._head()}
        return {**head, "cps": rows, "circuits": circuits}

    def stream(
        self, cp: str | None = None, allowed: Callable[[], bool] = lambda: True,
        sees_all: Callable[[], bool] = lambda: False, is_operator: bool = False,
    ) -> Iterator[bytes]:  # fmt: skip
        """Open a stream; with a CP, its bus messages come too. Raises Unreachable: too many.

        It ends when whoever opened it is no longer `allowed` to look.
        """
        if self.streams >= MAX_STREAMS + (FOR_OPERATOR if is_operator else 0):
            raise Unreachable("too many open pages", "this one asks again every few seconds")
        return self._run(Tap(cp, sees_all) if cp else None, allowed)

    def tap(self, cp: str, message: Message) -> None:
        """Show a message to the streams that listen to its CP."""
        for tap in self._taps:
            if tap.cp == cp:
                tap.take(message, self._timestamp())

    @property
    def tapped(self) -> set[str]:
        """CPs to whose messages somebody listens."""
        return {tap.cp for tap in self._taps}

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        tick, self._tick = self._tick, Event()
        tick.set()

    def _delta(self, cp: str, passed: CpState | None) -> dict[str, Any] | None:
        """The fields of a row that changed; all of a new one; None where nothing did."""
        row = self._fleet.row(cp, passed)
        if row is None:
            return None
        before = self.rows.get(cp)
        self.rows[cp] = row
        if before is None:
            return row
        changed = {key: value for key, value in row.items() if before[key] != value}
        return {"id": cp, **changed} if changed else None

    def _head(self) -> dict[str, Any]:
        services = {name: p._asdict() for name, p in self._fleet.services.items()}
        return {"ready": self._fleet.ready, "drivers": self._fleet.drivers, "services": services}

    def _snapshot_events(self) -> list[bytes]:
        if self._snapshot is None or self._snapshot[0] != self._seq:
            self._snapshot = (self._seq, _in_parts(self.snapshot()))
        return self._snapshot[1]

    def _run(self, tap: Tap | None, allowed: Callable[[], bool]) -> Iterator[bytes]:
        self.streams += 1
        if tap:
            self._taps.append(tap)
        try:
            if tap and sum(one.cp == tap.cp for one in self._taps) == 1:
                self._listen(tap.cp, True)
            seen = self._seq
            first, *more = self._snapshot_events()
            yield b"retry: 1000\n\n" + first
            yield from more
            while not self._closed and allowed():
                tick = self._tick
                events = self._after(seen)
                seen = self._seq
                if tap and (messages := tap.drain()):
                    found = {"messages": messages, "dropped": tap.dropped}
                    events = [b"".join([*events, encode_event("messages", found)])]
                yield from events
                if not events:
                    tick.wait(LONGEST_WAIT_S)
        finally:
            self.streams -= 1
            if tap:
                self._remove(tap)

    def _remove(self, tap: Tap) -> None:
        self._taps.remove(tap)
        if not any(one.cp == tap.cp for one in self._taps):
            self._listen(tap.cp, False)

    def _after(self, seen: int) -> list[bytes]:
        """The batches after `seen`, or a snapshot where they are no longer kept."""
        if seen == self._seq:
            return []
        if self._batches and self._batches[0][0] > seen + 1:
            return self._snapshot_events()
        return [b"".join(data for seq, data in self._batches if seq > seen)]
