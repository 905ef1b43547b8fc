"""Why sessions end: the words of `Session.reason`, `Supply.reason` and a ticket."""

from __future__ import annotations

from enum import StrEnum


def in_words(reason: str | None) -> str:
    """A reason as people read it, whom the word alone would puzzle."""
    by_whom = reason in (EndReason.DRIVER, EndReason.OPERATOR)
    return f"stopped by {reason}" if by_whom else reason or ""


class EndReason(StrEnum):
    """Why a session or its supply ended.

    A field with a reason is text all the same: an Engine's comes from the bus, where
    `core.topics` cleans and cuts it, and a ticket of old may have another word.
    """

    # The Engine's own: what its charger, a hand or the broker did.
    COMPLETED = "completed"
    UNPLUGGED = "unplugged"
    #: Central's too, where the Monitor says so.
    FAULT = "fault"
    #: Central's too, where the Registry says so.
    REVOKED = "revoked"
    #: Central told it to stop, without a reason.
    STOPPED = "stopped"

    # What people did, as Central hears of it.
    DRIVER = "driver"
    OPERATOR = "operator"
    CLOSED = "closed"
    OUT_OF_ORDER = "out_of_order"
    DELETED = "deleted"
    #: Its CP moves to another host.
    MOVED = "moved"

    # What Central finds.
    #: Nobody known charged: energy may have flowed, and no driver is billed.
    UNAUTHORISED = "unauthorised"
    #: The next charge of its CP began, so this one is over, whenever its end is told.
    SUPERSEDED = "superseded"
    NOT_STARTED = "not_started"
    POWER_LOSS = "power_loss"
    MONITOR_GONE = "monitor_gone"
    JOURNAL_LOST = "journal_lost"
    UNKNOWN_SESSION = "unknown_session"
    #: The Engine ended it, without a reason.
    ENDED = "ended"
