"""What web and Registry have for the audit: a line of their log, which Central takes up.

Written and read here. Who, what and outcome hold no space; the log has one line an entry
whatever the detail holds.
"""

from __future__ import annotations

import logging
import re

from evcs.core.audit import AuditEntry

_LINE = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) [A-Z]+ (web|registry) "
    rb"audit who=(\S+) what=(\S+) outcome=(\S+) (.*)"
)

_log = logging.getLogger("evcs")


def write(who: str, what: str, outcome: str, detail: str) -> None:
    """Have it audited; what isn't ok stands out in the log."""
    level = logging.INFO if outcome == "ok" else logging.WARNING
    _log.log(level, "audit who=%s what=%s outcome=%s %s", who, what, outcome, detail)


def take(line: bytes) -> AuditEntry | None:
    """The entry that a line of a log is, if it is one; the detail says of which log."""
    match = _LINE.match(line)
    if match is None:
        return None
    at, service, who, what, outcome, detail = (
        part.decode("utf-8", "replace") for part in match.groups()
    )
    return AuditEntry(at, who, what, None, outcome, f"{service}: {detail.rstrip()}")
