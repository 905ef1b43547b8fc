"""How long what is away may be away before a session is ended for that, or not begun."""

from __future__ import annotations

from typing import NamedTuple

from evcs.core.messages import DesiredCp
from evcs.core.placement import MAIN, OCPP, holder


class Deadlines(NamedTuple):
    """How long what is away may be away, in seconds of Central's monotonic clock.

    `start_within_s`: an Engine to begin a session. `resume_within_s`: an Engine that comes back to
    go on with it. `monitor_gone_s`: a Monitor, before its CP's session ends. `reconnect_grace_s`:
    for all to come back after Central's own connection.
    """

    start_within_s: float = 30.0
    resume_within_s: float = 30.0
    monitor_gone_s: float = 10.0
    reconnect_grace_s: float = 15.0


class Patience(NamedTuple):
    """For how many seconds sessions wait for what is away and may charge on.

    `charger_s`: a real charger, which says when it has ended. `host_s`: another machine, whose
    cable may be cut.
    """

    charger_s: float = 86_400.0
    host_s: float = 3_600.0


PATIENCE = Patience()
ON_MAIN = Deadlines()
#: Of a start that a charger takes its gateway knows for how long it waits for the car.
CHARGER_STARTS_WITHIN_S = 600.0
#: A charger of a back end charges for that, whoever of us is away.
BY_ITSELF = Deadlines(resume_within_s=PATIENCE.charger_s, monitor_gone_s=PATIENCE.charger_s)


def deadlines(cp: DesiredCp | None, patience: Patience = PATIENCE) -> Deadlines:
    """Those of the place that holds a CP."""
    if cp is not None and cp.hosting == OCPP:
        return Deadlines(CHARGER_STARTS_WITHIN_S, patience.charger_s, patience.charger_s)
    if cp is not None and cp.backend is not None:
        return BY_ITSELF
    if cp is None or holder(cp).host == MAIN:
        return ON_MAIN
    return Deadlines(resume_within_s=patience.host_s, monitor_gone_s=patience.host_s)
