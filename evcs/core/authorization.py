"""Whether a driver may charge at a CP now."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core import charge_point as cp_states
from evcs.core.messages import DesiredCp
from evcs.core.placement import is_moving


class Denial(NamedTuple):
    """Why not: an error code of core.errors, and a line for the driver."""

    code: str
    reason: str


class Situation(NamedTuple):
    """What Central knows when it is asked. `state` and `reason` are the judged ones."""

    desired: DesiredCp | None
    state: str
    reason: str
    cp_session: str | None
    driver_cp: str | None


def authorise(at: Situation) -> Denial | None:
    """None where the driver may charge, else the first reason against it."""
    if at.desired is None or at.desired.deleted:
        return Denial("not_found", "unknown CP")
    if at.desired.backend is not None:
        return Denial("conflict", "CP is a charger of another back end, which alone lets charge")
    if at.driver_cp is not None:
        return Denial("conflict", f"driver already charging at {at.driver_cp}")
    if at.cp_session is not None:
        return Denial("conflict", "CP is busy")
    if is_moving(at.desired):  # it would wait for each of them to end
        return Denial("conflict", "CP is being moved, try again in a moment")
    if at.state == cp_states.State.OUT_OF_ORDER:
        return Denial("conflict", "CP is out of order")
    if at.state == cp_states.State.BROKEN_DOWN:
        return Denial("conflict", f"CP is broken down ({at.reason})")
    if at.state == cp_states.State.DISCONNECTED:
        return Denial("conflict", f"CP is disconnected ({at.reason})")
    return None
