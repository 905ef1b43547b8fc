"""A real charger on a power site, as its gateway tells of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from evcs.core import messages as m
from evcs.core.limits import Limit
from evcs.core.ports import Received
from tests.unit.power_site import Place


class Temper(StrEnum):
    """What it does with a charging profile."""

    OBEYS = "obeys"
    REFUSES = "refuses"
    REFUSES_FOR_A_CHARGE = "refuses for a charge"
    IGNORES = "takes it and does not obey"


class Box(Place):
    """Takes all that it may, and tells each `every_s` seconds what that is."""

    def __init__(
        self, cp: str, temper: Temper, every_s: int = 5, max_power_w: int = 22_000
    ) -> None:
        super().__init__(cp)
        self.temper, self.every_s, self.max_power_w = temper, every_s, max_power_w
        self.fallback_said_w: int | None = None
        self.limit: Limit | None = None
        self.error: str | None = None
        self.request: str | None = None
        self.session: str | None = None
        self.energy_wh, self.seq, self.second = 0.0, 0, 0
        #: It is so many seconds late; until that second it takes what it took before.
        self.late_s, self.as_before = 0, (0, 0)
        self.is_cut = False

    def begin(self) -> None:
        """It dials in."""
        self.boots += 1
        self.engine: Any = self
        self._tell()

    @property
    def power_w(self) -> int:
        """What it takes, known or not."""
        most_w = self.max_power_w
        if self.request is None:
            return 0
        if self.second < self.as_before[0]:
            return self.as_before[1]
        if self.temper != Temper.IGNORES:
            for limit_w in (self._limit_w, self.fallback_said_w):
                if limit_w is not None:
                    most_w = min(self.max_power_w, limit_w)
                    break
        return most_w if most_w >= 4_140 else 0

    @property
    def _limit_w(self) -> int | None:
        return self.limit.max_power_w if self.limit is not None else None

    def card(self) -> None:
        """A charge begins, by itself."""
        self.seq += 1
        self.request, self.energy_wh = f"{self.cp}-{self.seq}", 0.0
        self._ask()

    def cut(self) -> None:
        """Its line is; it goes on."""
        self.bus.taken()
        self.is_cut = True
        self._publish(m.EngineStatus(self.cp, False, f"{self.cp}-{self.boots}"))

    def leave(self) -> None:
        """It ends."""
        if self.session is not None:
            self._publish(
                m.SessionEvent(self.cp, "ended", self.session, self.seq, int(self.energy_wh))
            )
        self.request = self.session = self.limit = None
        self._tell()

    def handle(self, events: list[Any]) -> None:
        """What Central says."""
        if self.is_cut:
            return
        for said in (one.message for one in events if isinstance(one, Received)):
            if isinstance(said, m.StationAnswer) and said.id == self.request:
                self.session = said.session_id
                self._publish(m.SessionEvent(self.cp, "started", str(self.session), self.seq, 0))
                self._tell()
            elif not isinstance(said, m.Command):
                continue
            elif said.verb == "limit":
                self._take(said)
            elif said.verb == "stop":
                self.leave()

    def tick(self, now: float) -> None:
        """One second."""
        self.second += 1
        self.energy_wh += self.power_w / 3_600
        if self.limit is not None:
            self.limit = self.limit._replace(at=self.limit.at or now)
            runs_out = self.limit.runs_out
            if runs_out is not None and now >= runs_out:
                self.limit = None
        if self.is_cut:
            return
        if self.request is not None and self.session is None:
            self._ask()
        elif self.session is not None and self.second % self.every_s == 0:
            self.seq += 1
            limit_w = self._limit_w if self.limit is not None else self.fallback_said_w
            self._publish(
                m.Meter(self.cp, self.session, self.seq, int(self.energy_wh), self.power_w,
                        230.0, 0.0, limit_w)
            )  # fmt: skip

    def _take(self, cmd: m.Command) -> None:
        if cmd.max_power_w is None or cmd.fallback_w is None:
            self.fallback_said_w = self.limit = self.error = None
            self._tell()
            return
        if cmd.max_power_w < self.power_w and self.second >= self.as_before[0]:
            self.as_before = self.second + self.late_s, self.power_w
        self.error = "the charger answered Rejected" if self.temper == Temper.REFUSES else None
        if self.error is None:
            self.fallback_said_w = cmd.fallback_w
        if self.request is not None and self.temper == Temper.REFUSES_FOR_A_CHARGE:
            self.error = "the charger answered Rejected"
        elif self.request is not None and self.error is None:
            self.limit = Limit(cmd.max_power_w, cmd.fallback_w, None, cmd.for_s or 60)
        self._tell()

    def _ask(self) -> None:
        self._publish(
            m.StationRequest(self.cp, str(self.request), "start", f"CARD-{self.cp}",
                             "2026-11-22T00:20:00.000Z", 0)
        )  # fmt: skip

    def _tell(self) -> None:
        limit_w = self._limit_w if self.limit is not None else self.fallback_said_w
        phase = "supplying" if self.request is not None else "idle"
        self._publish(
            m.EngineStatus(self.cp, True, f"{self.cp}-{self.boots}", phase,
                           self.request is not None, self.session, None, True,
                           limit_w, self.fallback_said_w, limit_error=self.error)
        )  # fmt: skip

    def _publish(self, said: Any) -> None:
        self.bus.publish(said)
