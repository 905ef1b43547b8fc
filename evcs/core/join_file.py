"""What a machine is given to join by: where the centre is, whom to trust, and its invitation."""

from __future__ import annotations

import json
from typing import NamedTuple

from evcs.core import hosts, strict_json
from evcs.core.errors import BadValue
from evcs.core.setting_values import CHECKS

FORMAT = 1
MAX_BYTES = 65_536
PORTS = ("mqtt_tls_port", "registry_port")


class JoinFile(NamedTuple):
    """`centre`: its IP address; `ca`: the certificate (PEM) of the CA that its own is of; `until`:
    when the invitation ends (RFC 3339 UTC).
    """

    host: str
    centre: str
    mqtt_tls_port: int
    registry_port: int
    secret: str
    until: str
    ca: str


def render(found: JoinFile) -> str:
    """The file's content."""
    return json.dumps({"evcs_join": FORMAT, **found._asdict()}, indent=1) + "\n"


def parse(text: bytes) -> JoinFile:
    """What a file says. Raises BadValue."""
    try:
        found = strict_json.parse(text, unique=True)
    except strict_json.NotJson as error:
        raise _wrong(str(error)) from None
    if not isinstance(found, dict) or "evcs_join" not in found:
        raise _wrong("it is another file")
    if (version := found.pop("evcs_join")) != FORMAT:
        is_older = isinstance(version, int) and version < FORMAT
        raise BadValue(
            f"the join file is of format {ascii(version)[:20]}, and this evcs reads {FORMAT}",
            f"upgrade evcs {'at the centre, and make another' if is_older else 'here'}",
        )
    if found.keys() != set(JoinFile._fields):
        raise _wrong(f"{min(found.keys() ^ set(JoinFile._fields))[:60]!a} is missing or unknown")
    for name in ("host", "secret", "until", "ca"):
        if not isinstance(found[name], str):
            raise _wrong(f"{name} is no text")
    hosts.check_name(found["host"])
    for name in ("centre", *PORTS):
        found[name] = CHECKS[name](name, found[name])
    return JoinFile(**found)


def _wrong(why: str) -> BadValue:
    return BadValue(f"that is no join file: {why}", "make one at the centre: evcs host add")
