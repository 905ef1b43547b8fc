"""What a decision of Central's has to bring about: plain data, carried out by its Outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.messages import NOTHING, DriverEvent, DriverRequest, Message
from evcs.core.session import AnsweredStart, Session, to_json


class Save(NamedTuple):
    """Have the session written, before anything of this batch is told."""

    session: Session


class SaveFigures(NamedTuple):
    """Have the session's new energy written within some seconds."""

    session: Session


class Progress(NamedTuple):
    """Have the session's driver told how far it is, but not too often."""

    session_id: str


class Remove(NamedTuple):
    """Have a request removed that its CP turned down: it never was a session."""

    session: Session


class KeepAnswer(NamedTuple):
    """Have what a charger's request is answered written, so that it makes one session for ever."""

    request_id: str
    answer: AnsweredStart


class Send(NamedTuple):
    """Publish, once all is written."""

    message: Message


class SendNow(NamedTuple):
    """Publish at once what rests on what is on disk already."""

    message: Message


class Audit(NamedTuple):
    """Have an entry written of what `who` did.

    `share`: of whose share it is; of more than that the number is told. None: it is always written.
    """

    who: str
    what: str
    cp: str | None
    outcome: str
    detail: str = ""
    share: str | None = None


class Refuse(NamedTuple):
    """Count what can't be of a CP; the first, second, fourth, eighth... is in the audit."""

    cp: str
    what: str
    outcome: str
    detail: str


class Unexpected(NamedTuple):
    """Count an event that a table doesn't know."""

    cp: str
    where: str
    event: str


Effect = (
    Save | SaveFigures | Progress | Remove | KeepAnswer | Send | SendNow | Audit | Refuse
    | Unexpected
)  # fmt: skip


def driver_events(
    session: Session, event: str, body: Mapping[str, Any] = NOTHING
) -> list[DriverEvent]:
    """What a session's driver is told, if it has one; its figures, if nothing else is."""
    if session.driver is None:
        return []
    body = body or figures(session)
    return [DriverEvent(session.driver, event, session.request_id, session.session_id, body)]


def figures(session: Session) -> dict[str, Any]:
    """A session as its driver is told."""
    found = to_json(session)
    del found["session_id"]
    return {**found, "power_w": session.power_w, "requested_wh": session.requested_wh}


def denied(asked: DriverRequest, code: str, reason: str) -> list[Effect]:
    """A driver's request is turned down."""
    body = {"code": code, "reason": reason, "cp": asked.cp}
    who = f"driver/{asked.driver}"
    return [
        Send(DriverEvent(asked.driver, "denied", asked.id, None, body)),
        Audit(who, asked.verb[:40], asked.cp, "denied", reason, share=who),
    ]
