"""What is put to Central's decisions beside messages, and the time that goes with it."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core import messages as m
from evcs.core.session import AnsweredStart, Session


class At(NamedTuple):
    """Now: monotonic seconds, RFC 3339 UTC; and when Central's present connection began."""

    clock: float
    wall: str
    connected_at: float


class Charge(NamedTuple):
    """A driver asks for a charge. `id` is for the session; `driver_cp`: where he charges now."""

    asked: m.DriverRequest
    id: str
    driver_cp: str | None


class AskedByStation(NamedTuple):
    """A charger asks. `id` is for the session; `driver`: whose card it is; `driver_cp`: see Charge.

    `answered`: what was answered before, if the request has come again. `guesses`: its CP has asked
    of too many cards that are nobody's, and is told of no card any more whose it is.
    """

    asked: m.StationRequest
    id: str
    driver: str | None
    driver_cp: str | None
    answered: AnsweredStart | None
    guesses: bool = False


class ChargeAgain(NamedTuple):
    """The request of the session under way comes again, from who was not answered."""


class StopCharge(NamedTuple):
    """The driver of the session ends it."""

    asked: m.DriverRequest


class Leave(NamedTuple):
    """The driver of the session, which was interrupted for long, charges elsewhere."""


class EndCharge(NamedTuple):
    """The operator ends the CP's session."""

    asked: m.OperatorRequest


class Close(NamedTuple):
    """The operator closes a session, at the last metered Wh."""

    asked: m.OperatorRequest
    session: Session


class MakeWay(NamedTuple):
    """The operator moves the CP, and does not wait for the end of its session."""

    asked: m.OperatorRequest


class Delete(NamedTuple):
    """The Registry has no such CP any more."""


class EngineStale(NamedTuple):
    """Nothing is kept of the Engine, or was told since Central's connection."""


class MonitorStale(NamedTuple):
    """Nothing is kept of the Monitor, or was told since Central's connection."""


class MonitorAbsent(NamedTuple):
    """Time has passed, and the Monitor is not there."""


class Repeat(NamedTuple):
    """Time has passed: what is due is told again."""


class Granted(NamedTuple):
    """The session may take so much of its circuit, in W.

    `waits`: whether there is no power for it, for about `wait_s` seconds; None: as before. One that
    has power may have 0 until another has given way. `turn`: its turn goes on. `guest`: it has
    power without a turn.
    """

    limit_w: int
    waits: bool | None = None
    turn: bool = False
    guest: bool = False
    wait_s: int | None = None


class FallbackGranted(NamedTuple):
    """The CP may have that as its fallback, in W: it is nobody else's any more."""

    fallback_w: int


class PowerLooked(NamedTuple):
    """Time has passed: whether the session shows the limit that it was told."""


class Unwritten(NamedTuple):
    """The request could not be written: as if it had not been made."""


Event = (
    m.DesiredCp | m.EngineStatus | m.MonitorStatus | m.Meter | m.SessionEvent | m.Reply
    | Charge | ChargeAgain | AskedByStation | StopCharge | Leave | EndCharge | Close
    | MakeWay | Delete
    | EngineStale | MonitorStale | MonitorAbsent | Repeat | Granted | FallbackGranted
    | PowerLooked | Unwritten
)  # fmt: skip
