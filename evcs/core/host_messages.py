"""What travels on the bus of the machines that CPs run on; part of core.messages."""

from __future__ import annotations

from typing import NamedTuple


class DesiredHost(NamedTuple):
    """Registry: a machine beside the centre. Times are RFC 3339 UTC.

    `joined_at`: when it did last, None where it never has. `invited_until`: until when it may join,
    None where it may not.
    """

    host: str
    joined_at: str | None = None
    invited_until: str | None = None


class HostState(NamedTuple):
    """Central: whether a machine's CP Manager is there, since when, and what it said of itself.

    `since`: by Central's clock (RFC 3339 UTC). `clock_off_s`: how far the machine's clock is ahead
    of Central's, to half a second; None where it has not answered.
    """

    host: str
    online: bool
    since: str
    version: str | None = None
    address: str | None = None
    clock_off_s: float | None = None
