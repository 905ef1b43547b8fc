"""Chargers' frames on the bus, for those who watch: masked, and no more than it carries."""

from __future__ import annotations

from collections.abc import Callable

from evcs.core.messages import StationFrame
from evcs.core.ocpp.masking import masked
from evcs.core.ocpp.ports import Connection
from evcs.core.ports import Bus
from evcs.core.shares import Shares

#: A frame on the bus, at most; the rest of a longer one is left out.
MAX_FRAME = 16_000
#: Of a station's frames, in characters; who watches misses what is more.
SHOWN_AT_ONCE, SHOWN_A_SECOND = 2_000_000.0, 100_000.0


class ShownFrames:
    """Of all stations of a host."""

    def __init__(self, host: str, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._host, self._bus = host, bus
        self._shown = Shares(monotonic, SHOWN_AT_ONCE, SHOWN_A_SECOND)

    def show(self, connection: Connection, direction: str, text: str) -> None:
        """One frame; `direction`: see StationFrame."""
        station, version = connection.station, connection.version.value.removeprefix("ocpp")
        if self._shown.left(station) < MAX_FRAME:
            return
        shown = masked(text)[:MAX_FRAME]
        self._shown.take(station, len(text))
        self._bus.publish(StationFrame(self._host, station, direction, version, shown))
