"""A charger's contactor and limit as its station wants them."""

from __future__ import annotations

from collections.abc import Callable

from evcs.core.charger import Charger, Reading
from evcs.core.ocpp.station import EmulatedStation
from evcs.core.ocpp.station_calls import At
from evcs.core.units import DEFAULT_ENERGY_WH


class Contactor:
    """`closed`: whether power flows. Times are seconds of a monotonic clock, `most_w()` W."""

    def __init__(self, charger: Charger, most_w: Callable[[], int]) -> None:
        self._charger, self._most_w = charger, most_w
        self._stepped_at: float | None = None
        self.closed = False

    def step(self, now: float) -> Reading | None:
        """What has flowed since the last step; None where that is not known."""
        before, self._stepped_at = self._stepped_at, now
        if not self.closed or before is None:
            return None
        return self._charger.step(now - before)

    def switch(self, station: EmulatedStation, at: At, kept: bool) -> None:
        """As the station wants it; it is closed only once that is `kept`."""
        wants, one = station.wants_power, station.held.transaction
        self._charger.set_limit(station.limit_w(at))
        if self.closed and not wants:
            self._charger.open_contactor()
            self.closed = False
            if one is None:
                self._charger.unplug()
        elif wants and kept and not self.closed and one is not None:
            self._charger.plug()
            from_wh = station.held.register_wh - one.meter_wh
            self._charger.close_contactor(DEFAULT_ENERGY_WH, self._most_w(), from_wh)
            self.closed, self._stepped_at = True, None
