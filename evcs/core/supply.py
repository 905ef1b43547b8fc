"""An Engine's side of a session: what it holds, and how it answers commands.

    idle --start--> supplying --ended--> ended --settled--> idle
    (born with an open journal) waiting --resume--> supplying, --stop--> ended

What an Engine holds is exactly what its journal's last line says (`to_record`,
`from_record`), so being killed at any moment loses nothing that was told. A command
that comes twice is answered alike and does nothing the second time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from evcs.core.end_reasons import EndReason
from evcs.core.errors import EvcsError
from evcs.core.limits import FOR_S, MOST_FOR_S, Limit
from evcs.core.messages import Command


class SupplyPhase(StrEnum):
    """What an Engine does: WAITING has an open supply that Central has not resumed yet."""

    IDLE = "idle"
    SUPPLYING = "supplying"
    WAITING = "waiting"
    ENDED = "ended"


class Refusal(StrEnum):
    """Why a command is not carried out."""

    BUSY = "busy"
    NO_SESSION = "no_session"
    FAULTED = "faulted"
    BAD_COMMAND = "bad_command"
    DISK_FULL = "disk_full"


REMEMBERED = 8

#: Of a journal's lines.
FORMAT = 1
#: Fields that lines of an earlier version don't have.
LATER = frozenset({"over", "fault", "limit_w", "fallback_w"})


class Supply(NamedTuple):
    """What an Engine holds; energy in Wh, `seq` counts what it told of this session;
    `over`: sessions that are over here, lately: a start of one that comes late is void;
    `fault`: set by hand, and kept until it is cleared by hand; `limit_w`: the most it may take,
    `fallback_w`: the most without a word of Central's (core.limits), None of a CP in no circuit."""

    phase: str = SupplyPhase.IDLE
    session_id: str | None = None
    seq: int = 0
    energy_wh: int = 0
    target_wh: int = 0
    max_power_w: int = 0
    reason: str | None = None
    over: tuple[str, ...] = ()
    fault: str | None = None
    limit_w: int | None = None
    fallback_w: int | None = None


class Outcome(NamedTuple):
    """The supply after a command, and the error word of the reply, if it was refused."""

    supply: Supply
    error: str | None = None


def command(supply: Supply, cmd: Command, fault: str | None) -> Outcome:
    """Carry out one of Central's session commands: start, resume, stop, settled."""
    if cmd.session_id is None:
        return Outcome(supply, Refusal.BAD_COMMAND)
    if cmd.verb == "start":
        return _start(supply, cmd, fault)
    if cmd.session_id != supply.session_id:
        if cmd.verb == "stop":
            return Outcome(_over(supply, cmd.session_id), Refusal.NO_SESSION)
        return Outcome(supply, None if cmd.verb == "settled" else Refusal.NO_SESSION)
    if cmd.verb == "resume" and supply.phase == SupplyPhase.WAITING:
        return Outcome(supply, Refusal.FAULTED) if fault else Outcome(_resumed(supply, cmd))
    if cmd.verb == "stop":
        return Outcome(end(supply, cmd.reason or EndReason.STOPPED))
    if cmd.verb == "settled":
        return Outcome(_over(_idle(supply), cmd.session_id))
    return Outcome(supply)


def _idle(supply: Supply) -> Supply:
    """What is kept of a supply that is over."""
    kept = supply.over, supply.fault, supply.limit_w, supply.fallback_w
    return Supply(SupplyPhase.IDLE, None, 0, 0, 0, 0, None, *kept)


def _resumed(supply: Supply, cmd: Command) -> Supply:
    """It goes on from what it told, where a full disk kept that from its journal."""
    return supply._replace(
        phase=SupplyPhase.SUPPLYING,
        seq=max(supply.seq, cmd.seq or 0),
        energy_wh=max(supply.energy_wh, cmd.energy_wh or 0),
    )


def _start(supply: Supply, cmd: Command, fault: str | None) -> Outcome:
    if cmd.session_id == supply.session_id or cmd.session_id in supply.over:
        return Outcome(supply)
    if supply.phase != SupplyPhase.IDLE:
        return Outcome(supply, Refusal.BUSY)
    if fault:
        return Outcome(supply, Refusal.FAULTED)
    if not cmd.energy_wh or not cmd.max_power_w or cmd.energy_wh < 0 or cmd.max_power_w < 0:
        return Outcome(supply, Refusal.BAD_COMMAND)
    begun = supply._replace(
        phase=SupplyPhase.SUPPLYING,
        session_id=cmd.session_id,
        seq=1,
        target_wh=cmd.energy_wh,
        max_power_w=cmd.max_power_w,
    )
    return Outcome(begun)


def _over(supply: Supply, session_id: str) -> Supply:
    if session_id in supply.over:
        return supply
    return supply._replace(over=(*supply.over, session_id)[-REMEMBERED:])


def limit_of(cmd: Command) -> Limit | None:
    """The limit that a command sets; None where it lifts it. Raises ValueError where it is none."""
    if cmd.max_power_w is None:
        return None
    for_s = FOR_S if cmd.for_s is None else cmd.for_s
    limit = Limit(cmd.max_power_w, cmd.fallback_w or 0, for_s=for_s)
    if min(limit.max_power_w, limit.fallback_w) < 0 or not 0 < limit.for_s <= MOST_FOR_S:
        raise ValueError("no limit is like that")
    return limit


def limited(supply: Supply, limit: Limit | None) -> Supply:
    """The supply under a limit."""
    if limit is None:
        return supply._replace(limit_w=None, fallback_w=None)
    return supply._replace(limit_w=limit.max_power_w, fallback_w=limit.fallback_w)


def metered(supply: Supply, energy_wh: int) -> Supply:
    """The supply after a reading of its register."""
    return supply._replace(seq=supply.seq + 1, energy_wh=max(supply.energy_wh, energy_wh))


def end(supply: Supply, reason: str) -> Supply:
    """The supply ended for that reason, unless it is over already."""
    if supply.phase not in (SupplyPhase.SUPPLYING, SupplyPhase.WAITING):
        return supply
    return supply._replace(phase=SupplyPhase.ENDED, seq=supply.seq + 1, reason=reason)


def break_down(supply: Supply, fault: str) -> Supply:
    """The supply ended by a fault that stays until it is cleared."""
    return end(supply, EndReason.FAULT)._replace(fault=fault)


def to_record(supply: Supply) -> dict[str, Any]:
    """A journal line."""
    return {"format": FORMAT, **supply._asdict()}


def is_record(record: dict[str, Any]) -> bool:
    """Whether a journal's line says what an Engine can hold; of a newer format it may be."""
    version = record.get("format", 1)
    if type(version) is int and version > FORMAT:
        return True
    counts = [record.get(name) for name in ("seq", "energy_wh", "target_wh", "max_power_w")]
    texts = [record.get(name, 0) for name in ("session_id", "reason")]
    limits = [record.get(name) or 0 for name in ("limit_w", "fallback_w")]
    over = record.get("over", ())
    return (
        version == FORMAT
        and record.get("phase") in frozenset(SupplyPhase)
        and all(type(count) is int and count >= 0 for count in (*counts, *limits))
        and all(isinstance(text, str | None) for text in (*texts, record.get("fault")))
        and (record["session_id"] is None) == (record["phase"] == SupplyPhase.IDLE)
        and isinstance(over, list | tuple)
        and all(isinstance(one, str) for one in over)
    )


def from_record(record: dict[str, Any] | None) -> Supply:
    """What an Engine holds at its birth, from its journal's last line that `is_record`.

    Raises EvcsError for a line of a newer version; one that names none is of the first.
    """
    if record is None:
        return Supply()
    if record.get("format", 1) != FORMAT:
        raise EvcsError(f"the journal is of another format than {FORMAT}", "upgrade evcs")
    supply = Supply(**{name: record[name] for name in Supply._fields if name not in LATER})
    fallback_w = record.get("fallback_w")
    supply = supply._replace(
        over=tuple(record.get("over", ())), fault=record.get("fault"),
        limit_w=fallback_w, fallback_w=fallback_w,
    )  # fmt: skip
    return (
        supply._replace(phase=SupplyPhase.WAITING)
        if supply.phase == SupplyPhase.SUPPLYING
        else supply
    )
