"""Doctor's look at open sessions: does the Engine that has to end them hold them?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import bounds
from evcs.cli.bounds import OK, Finding
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.doctor.live import NOT_RUNNING
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.session import OPEN_STATES

#: By then Central has asked several times.
OLD_AFTER = timedelta(minutes=2)


def held(ctx: DoctorContext) -> Finding:
    """Sessions that wait for an Engine which is there and says that it has not got them."""
    if ctx.pid is None:
        return Finding(bounds.SESSIONS, OK, NOT_RUNNING)
    ledger = LedgerReader(ctx.home.ledger_db)
    until = (datetime.now(UTC) - OLD_AFTER).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    rows = [row for state in OPEN_STATES for row in ledger.sessions(state=state, until=until)]
    return bounds.sessions(rows, _engines(ctx))


def _engines(ctx: DoctorContext) -> dict[str, m.EngineStatus]:
    found = {}
    for topic, payload in ctx.retained.items():
        if topic.endswith("/engine/status"):
            try:
                status = topics.decode(topic, payload)
            except topics.Unreadable:
                continue
            if isinstance(status, m.EngineStatus):
                found[status.cp] = status
    return found


CHECKS = (held,)
