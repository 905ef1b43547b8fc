"""Doctor's bounds: from figures to ok, warn or fail, without looking at anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from evcs.adapters.certificates import RENEW_WITHIN, Certificate
from evcs.core.messages import EngineStatus

OK, WARN, FAIL = "ok", "warn", "fail"

#: `bin/bench memory`: services and broker hold 88 MiB; with room for a growing ledger.
BASE_BYTES = 160 * 2**20
FREE_BYTES = 50 * 2**20
FREE_BYTES_SOON = 500 * 2**20
FREE_INODES = 1000
CLOCK_SLACK_S = 5.0
OLDEST_SANE_CLOCK_S = 1_735_689_600  # 2025-01-01
SHOWN = 3
SESSIONS = "sessions"


class Finding(NamedTuple):
    """What one check came to. `fix` does what is safe and says what it did."""

    check: str
    level: str
    text: str
    remedy: str = ""
    fix: Callable[[], str] | None = None

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "check": self.check, "level": self.level, "text": self.text, "remedy": self.remedy,
        }  # fmt: skip


def certificate(whose: str, found: Certificate, now: datetime) -> Finding:
    """Whether a certificate lasts another month."""
    check, text = "certificates", f"{whose} lasts until {found.ends_at:%Y-%m-%d}"
    if found.ends_at <= now:
        text = f"{whose} ended on {found.ends_at:%Y-%m-%d}, so clients refuse it"
        return Finding(check, FAIL, text, "evcs tls init")
    if found.ends_within(RENEW_WITHIN, now):
        return Finding(check, WARN, text, "evcs tls init renews it as all runs on")
    return Finding(check, OK, text)


def some(names: Iterable[str]) -> str:
    """The first few names and how many more there are."""
    found = list(names)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def sessions(
    rows: Sequence[Mapping[str, Any]], engines: Mapping[str, EngineStatus]
) -> Finding:  # fmt: skip
    """Open sessions (as in JSON) against what each CP's Engine says of itself."""
    lost = [row for row in rows if _has_lost(engines.get(row["cp"]), row["session_id"])]
    if lost:
        which = some(f"{row['session_id']} ({row['cp']}, {row['driver']})" for row in lost)
        text = f"wait for an Engine that is there and does not hold them: {which}"
        return Finding(SESSIONS, WARN, text, f"evcs sessions close {lost[0]['session_id']}")
    return Finding(SESSIONS, OK, f"{len(rows)} open for a while, each held or waited for")


def _has_lost(engine: EngineStatus | None, session_id: str) -> bool:
    return engine is not None and engine.online and engine.session_id != session_id


def owner(euid: int, owner_uid: int) -> Finding:
    """Root may not leave files of its own in another user's home; a home of root's is unwise."""
    check = "root"
    if euid != owner_uid:
        text = f"you are user {euid}, the home belongs to user {owner_uid}"
        return Finding(check, FAIL, text, "run evcs as the home's owner")
    if euid == 0:
        return Finding(check, WARN, "all runs as root", "give the home to a user of its own")
    return Finding(check, OK, "not root")


def open_files(limit: int, cps: int, carries: Callable[[int], int]) -> Finding:
    """Whether supervisord may open the files that the fleet needs. -1: no limit."""
    check = "open files"
    fits = carries(limit) if limit >= 0 else -1
    text = f"limit {limit if limit >= 0 else 'none'}" + (
        f" carries {fits} CPs, and any in pools" if fits >= 0 else ""
    )
    remedy = "raise ulimit -n (LimitNOFILE in the service), then: evcs restart"
    if 0 <= fits < max(cps, 1):
        return Finding(check, FAIL, f"{text}; there are {cps}", remedy)
    if 0 <= fits < cps * 5 // 4:
        return Finding(check, WARN, f"{text}; there are {cps}", remedy)
    return Finding(check, OK, f"{text}; there are {cps}")


def room(taken: Mapping[str, tuple[int, int]]) -> Finding:
    """Whether the broker has room: of what -> how much is taken, how much there is."""
    check = "broker's room"
    text = ", ".join(f"{name}: {used} of {most}" for name, (used, most) in taken.items())
    full = [name for name, (used, most) in taken.items() if used >= most]
    if full or any(used * 5 >= most * 4 for used, most in taken.values()):
        # What is full keeps new people and tools out; our own processes have their socket.
        remedy = "see whose they are: ss -tnp; end them, or raise ulimit -n and: evcs restart"
        return Finding(check, FAIL if full else WARN, text, remedy)
    return Finding(check, OK, text)


def processes(limits: Sequence[int], needed: int) -> Finding:
    """Whether the user may run so many. -1 among the limits: none."""
    check = "processes"
    bounds = [one for one in limits if one >= 0]
    needed += 16
    if not bounds:
        return Finding(check, OK, f"no limit; {needed} needed")
    text = f"limit {min(bounds)}; {needed} needed"
    if min(bounds) < needed:
        return Finding(check, FAIL, text, "raise ulimit -u (TasksMax in the service)")
    return Finding(check, OK, text)


def memory(available: int, to_start: int, running: bool) -> Finding:
    """Whether what is still to be started fits, all in bytes."""
    check = "memory"
    needed = to_start + (0 if running else BASE_BYTES)
    text = f"{available >> 20} MiB free; {needed >> 20} MiB still needed"
    if available < needed:
        return Finding(check, FAIL, text, "add memory, or move CPs to another machine")
    if available < needed + BASE_BYTES:
        return Finding(check, WARN, text, "it is getting narrow: end other programs")
    return Finding(check, OK, text)


def disk(free: int, inodes: int | None) -> Finding:
    """Whether the home's disk has room for tickets and journals. `inodes` None: not counted."""
    check = "disk"
    text = f"{free >> 20} MiB free"
    remedy = "make room: a full disk stops changes and tickets from being written"
    if free < FREE_BYTES or (inodes is not None and inodes < FREE_INODES):
        files = f", {inodes} files may be made" if inodes is not None else ""
        return Finding(check, FAIL, text + files, remedy)
    if free < FREE_BYTES_SOON:
        return Finding(check, WARN, text, remedy)
    return Finding(check, OK, text)


def clock(now_s: float, written_s: float) -> Finding:
    """Whether the clock is behind what it has stamped itself."""
    check = "clock"
    remedy = "set the clock (timedatectl set-ntp true)"
    if now_s < OLDEST_SANE_CLOCK_S:
        return Finding(check, FAIL, "the clock stands before 2025", remedy)
    behind = written_s - now_s
    if behind > CLOCK_SLACK_S:
        text = f"the clock is {behind:.0f} s behind the newest data; tickets will look older"
        return Finding(check, FAIL, text, remedy)
    return Finding(check, OK, "not behind the data")
