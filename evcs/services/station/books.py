"""What Central has to know of a station's charges: each is told as it begins, is metered and ends.

Central only looks on. A charge is over here once Central has its ticket, however long that takes.
"""

from __future__ import annotations

from datetime import datetime

from evcs.core import messages as m
from evcs.core.charger import Reading
from evcs.core.end_reasons import EndReason
from evcs.core.ids import printed
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.station_state import StationState
from evcs.core.ocpp.times import parse
from evcs.core.ports import Bus
from evcs.core.session import CardStatus

#: Charges that Central has not settled. It may be away for days, and the back end is not.
MOST_HELD = 200
#: What is told later than this began while Central was away.
LATE_S = 10.0
_REASONS = {
    "DeAuthorized": EndReason.UNAUTHORISED,
    "EVDisconnected": EndReason.UNPLUGGED,
    "PowerLoss": EndReason.POWER_LOSS,
}


class Books:
    """One station's. `held` is what its journal says, together with what the station holds."""

    def __init__(self, cp: str, held: t.Held, bus: Bus) -> None:
        self._cp, self._bus = cp, bus
        self.held = held
        #: Whether anything is to be told, once it is kept; and what was metered last.
        self.untold = False
        self.reading: m.Meter | None = None

    def follow(self, station: StationState, why: str | None) -> None:
        """Take up what the station holds. `why`: our own word for an end, if it is ours."""
        before, live, one = self.held, self.held.live, station.transaction
        if live is not None and (one is None or one.number != live.id):
            end = station.last if station.last and station.last.number == live.id else None
            energy_wh = end.meter_wh - live.meter_wh if end else live.energy_wh
            word = _REASONS.get(end.reason, EndReason.STOPPED) if end else EndReason.ENDED
            self.held = self.held.put(t.ended(live, energy_wh, why or word))
        if one is not None and self.held.numbered(one.number) is None:
            begun = t.Begun(printed(one.tag), one.at, one.meter_wh)
            request = t.request_id(self._cp, 1, begun)
            new = t.begin(self.held, request, lambda: one.number, begun, 0.0)
            self.held = self.held.begun(new)
            kept = self.held.transactions[-MOST_HELD:]
            self.held = self.held._replace(transactions=kept)
        if self.held is not before:
            self.untold = True

    def meter(self, register_wh: int, reading: Reading) -> None:
        """A reading of the charge under way."""
        live = self.held.live
        if live is None:
            return
        live = t.metered(live, register_wh - live.meter_wh)
        self.held = self.held.put(live)
        if live.session_id is not None:
            self.reading = m.Meter(
                self._cp, live.session_id, live.seq, live.energy_wh,
                reading.power_w, reading.voltage_v, reading.current_a,
            )  # fmt: skip

    def tell(self, now: datetime) -> None:
        """Tell Central a reading, and where anything is `untold` all that it has not settled.

        Only once all of it is kept.
        """
        if self.reading is not None:
            self._bus.publish(self.reading)
        if self.untold:
            for one in self.held.transactions:
                self._tell(one, now)
        self.reading, self.untold = None, False

    def _tell(self, one: t.Transaction, now: datetime) -> None:
        if one.session_id is not None:
            event = "started" if one.is_open else "ended"
            self._bus.publish(
                m.SessionEvent(self._cp, event, one.session_id, one.seq, one.energy_wh, one.reason)
            )
        else:
            began = parse(one.at) or now
            late = not one.is_open or (now - began).total_seconds() > LATE_S
            self._bus.publish(
                m.StationRequest(
                    self._cp, one.request_id, "start", one.tag, one.at, one.meter_wh, late
                )
            )

    def answered(self, answer: m.StationAnswer) -> None:
        """Central's word to a begin."""
        known, session_id = self.held.requested(answer.id), answer.session_id
        if isinstance(known, t.Transaction) and session_id and not known.session_id:
            self.held = self.held.put(t.answered(known, session_id, CardStatus.ACCEPTED))
            self.untold = True

    def settled(self, session_id: str | None) -> None:
        """Central has the ticket."""
        one = self.held.of_session(session_id)
        if session_id is not None and isinstance(one, t.Transaction) and not one.is_open:
            self.held = self.held.settle(one)

    def is_live(self, session_id: str | None) -> bool:
        """Whether that is the charge under way."""
        return self.held.live is not None and self.held.live.session_id == session_id
