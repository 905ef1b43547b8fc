"""What Central tells an Engine of a session or a limit, and by which id its reply is known."""

from __future__ import annotations

from evcs.core.cp_record import CpRecord
from evcs.core.end_reasons import EndReason
from evcs.core.limits import FOR_S
from evcs.core.messages import Command, Reply
from evcs.core.session import Session
from evcs.core.session_life import Pending


def command_id(session_id: str, verb: str) -> str:
    """The id of a session's command, by which its reply is known."""
    return f"{session_id}.{verb}"


def command_of(reply: Reply) -> tuple[str, str]:
    """Session id and verb of the command that a reply is about, if it is about a session's."""
    session_id, _, verb = reply.id.partition(".")
    return session_id, verb


def command(session: Session, pending: Pending) -> Command:
    """The command to a session's Engine."""
    starting, resuming = pending.verb == "start", pending.verb == "resume"
    heard = session.energy_wh if resuming else None
    return Command(
        cp=session.cp,
        verb=pending.verb,
        id=command_id(session.session_id, pending.verb),
        session_id=session.session_id,
        energy_wh=session.requested_wh if starting else heard,
        max_power_w=session.max_power_w if starting else None,
        reason=pending.reason,
        seq=session.seq if resuming else None,
    )


def limit(record: CpRecord) -> Command:
    """What a CP may take: its session's share, else its fallback; none in no circuit."""
    fallback_w = record.fallback_w
    if fallback_w is None:
        return Command(record.cp, "limit", "limit")
    most_w = record.power.told_w if record.power is not None else 0
    if record.session is None:
        most_w = fallback_w
    return Command(
        record.cp, "limit", "limit", max_power_w=most_w, for_s=FOR_S, fallback_w=fallback_w
    )


def stop_orphan(cp: str, session_id: str) -> Command:
    """To an Engine that holds what no ledger knows: end it, and say how much it was."""
    reason = EndReason.UNKNOWN_SESSION
    return Command(cp, "stop", command_id(session_id, "stop"), session_id, reason=reason)


def settle_orphan(cp: str, session_id: str) -> Command:
    """To an Engine that tells the end of what can't have been: let go of it."""
    return Command(cp, "settled", command_id(session_id, "settled"), session_id)
