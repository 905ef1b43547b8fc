"""The machines of a system beside its centre: what is kept of each, and how one joins.

A machine joins with an invitation: a secret, of which the centre keeps the hash alone. It is good
once and for a time. One that has joined may be invited anew, after a reinstall: as it joins again
it gets a new secret, as its CPs do, and what had the old ones is shut out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from evcs.core.errors import BadValue, OtherFormat
from evcs.core.ids import check_id
from evcs.core.messages import DesiredHost
from evcs.core.placement import MAIN
from evcs.core.units import or_none, whole, written

#: How long an invitation is good where nothing else is asked for, and at most (s).
TTL_S, MAX_TTL_S = 3_600, 7 * 86_400

#: Of all that a centre and its hosts tell each other, over HTTPS and on the bus. A change that one
#: of an earlier version would take wrongly makes it another.
FORMAT = 1
#: A clock that is further off (s) is shown. Nothing rests on two machines having the same time, but
#: who reads their logs side by side does.
CLOCK_OFF_S = 2.0

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Host(NamedTuple):
    """A machine. `invitation`: SHA-256 (hex) of the secret that it may join with until
    `invited_until`, both None where it may not; `joined_at`: when it did last, None where it never
    has. Times are RFC 3339 UTC.
    """

    name: str
    invitation: str | None = None
    invited_until: str | None = None
    joined_at: str | None = None

    @property
    def has_joined(self) -> bool:
        """Whether there is, or was, a machine of that name."""
        return self.joined_at is not None


def check_name(value: object) -> str:
    """The name of a machine that is not the centre. Raises BadValue."""
    name = check_id("host", value)
    if name.lower() == MAIN:
        raise BadValue(f"host id {name} is reserved", f"{MAIN} is the centre; choose another")
    return name


def check_format(host: str, theirs: str) -> None:
    """Whether a host that says that it speaks so is understood. Raises OtherFormat."""
    if theirs != str(FORMAT):
        is_ahead = theirs.isdecimal() and len(theirs) < 10 and int(theirs) > FORMAT
        where = "at the centre" if is_ahead else f"on {host}"
        raise OtherFormat(
            f"host {host} is of format {ascii(theirs)[:20]}, its centre of {FORMAT}",
            f"upgrade evcs {where}, then there: evcs restart",
        )


def check_ttl(value: object) -> int:
    """For how many seconds an invitation is to be good. Raises BadValue."""
    return whole("ttl_s", value, 1, MAX_TTL_S)


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise BadValue("invitation: not a SHA-256 in hex")
    return value


def _time(value: object) -> str:
    try:
        if isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None:
            return value
    except ValueError:
        pass
    raise BadValue(f"{ascii(value)[:60]} is no time", "RFC 3339, such as 2026-11-30T12:00:00.000Z")


#: What is kept of each, with its rule.
FIELDS: Mapping[str, Callable[[object], Any]] = {
    "invitation": or_none(_digest),
    "invited_until": or_none(_time),
    "joined_at": or_none(_time),
}


def digest(secret: str) -> str:
    """What is kept of an invitation's secret. It is random, so it needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


def invited(host: Host, secret: str, ttl_s: int, at: str) -> Host:
    """The host with a new invitation, which takes the place of an earlier one."""
    until = datetime.fromisoformat(at) + timedelta(seconds=ttl_s)
    return host._replace(invitation=digest(secret), invited_until=written(until))


def may_join(host: Host, secret: str, at: str) -> bool:
    """Whether the secret is its invitation's, and good now. A hash tells nothing by its time."""
    until = host.invited_until
    return host.invitation == digest(secret) and until is not None and at < until


def joined(host: Host, at: str) -> Host:
    """The host once it has joined: its invitation is used."""
    return Host(host.name, joined_at=at)


def told(host: Host) -> DesiredHost:
    """A host as the bus has it: what its invitation's secret is stays with us, by its hash too."""
    until = host.invited_until if host.invitation else None
    return DesiredHost(host.name, host.joined_at, until)


def clock_words(off_s: float | None) -> str:
    """How far off a clock is, where that is to be told; else ""."""
    if off_s is None or abs(off_s) <= CLOCK_OFF_S:
        return ""
    return f"{abs(off_s):.1f} s {'ahead' if off_s > 0 else 'behind'}"


def joined_of(hosts: Mapping[str, Host]) -> list[str]:
    """The names of those that have joined: each has an identity."""
    return [name for name, host in hosts.items() if host.has_joined]


class Hosts(NamedTuple):
    """All of a system: the centre's own name, and the others by theirs."""

    centre: str
    others: Mapping[str, Host]

    def has(self, name: str) -> bool:
        """Whether there is a CP Manager of that name that makes CPs so, sooner or later."""
        return name == self.centre or (name in self.others and self.others[name].has_joined)

    def check(self, name: str) -> None:
        """Whether a CP may be there. Raises BadValue."""
        if name in self.others and not self.has(name):
            raise BadValue(f"host: {name} has not joined yet", "there, run: evcs join FILE")
        if not self.has(name):
            allowed = ", ".join([self.centre, *sorted(joined_of(self.others))])
            text = f"host: {ascii(name)[:60]} is not a host of this system"
            raise BadValue(text, f"allowed: {allowed}")
