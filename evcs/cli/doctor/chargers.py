"""Doctor's look at real chargers: how they may dial in, and what is wrong with those that do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from evcs.adapters import certificates
from evcs.adapters.secret_files import SecretFiles
from evcs.cli.bounds import OK, WARN, Finding, some
from evcs.cli.doctor.context import DoctorContext
from evcs.config import LOOPBACK
from evcs.core import messages as m
from evcs.core import stations, topics
from evcs.core.identities import of_next
from evcs.core.ocpp import times

LISTENER, CHARGERS = "chargers' listener", "chargers"
#: A charger's clock may be so far off before its times are of no use.
CLOCK_SLACK_S = 60


def listener(ctx: DoctorContext) -> Finding:
    """Where chargers dial in, and how that is protected; its port is among the others'."""
    listen = ctx.settings.ocpp_listen
    if listen == LOOPBACK:
        return Finding(LISTENER, OK, "ws://, on this machine alone")
    if ctx.settings.ocpp_plain:
        text = f"ws:// on {listen}: passwords can be read on the way, by [ocpp] plain"
        return Finding(LISTENER, WARN, text, "evcs tls init; [ocpp] plain = false; evcs restart")
    if not certificates.is_of_authority(ctx.home, certificates.server_rsa(ctx.home)):
        text = f"wss:// on {listen}, but without a certificate for chargers that know RSA alone"
        return Finding(LISTENER, WARN, text, "evcs tls init, where the CA is this home's")
    return Finding(LISTENER, OK, f"wss:// on {listen}")


def chargers(ctx: DoctorContext) -> Finding:
    """Clocks, versions, certificates and passwords of those that have dialled in."""
    there = stations.of(ctx.cps.values())
    if not there:
        return Finding(CHARGERS, OK, "none")
    found = [one for one in _statuses(ctx) if one.station in there]
    wrong = [text for one in found for text in _wrong(one, datetime.now(UTC))]
    secrets = SecretFiles(ctx.home)
    wrong += (f"{name} has not taken its new password: evcs-cp connect"
              for name in sorted(there) if secrets.find(of_next(name)))  # fmt: skip
    if wrong:
        return Finding(CHARGERS, WARN, some(wrong), "see: docs/ocpp.md, When it does not work")
    online = sum(one.online for one in found)
    return Finding(CHARGERS, OK, f"{len(there)} stations, {online} connected")


def _statuses(ctx: DoctorContext) -> Iterator[m.StationStatus]:
    for topic, payload in ctx.retained.items():
        try:
            found = topics.decode(topic, payload)
        except topics.Unreadable:
            continue
        if isinstance(found, m.StationStatus):
            yield found


def _wrong(one: m.StationStatus, now: datetime) -> Iterator[str]:
    if one.offered is not None:
        yield f"{one.station} speaks neither OCPP 1.6J nor 2.0.1 but {one.offered}"
    off_s = one.clock_off_s or 0
    if one.online and abs(off_s) > CLOCK_SLACK_S:
        yield f"{one.station}'s clock is {abs(off_s)} s {'ahead' if off_s > 0 else 'behind'}"
    ends_at = times.parse(one.certificate_ends_at)
    if one.online and ends_at is not None and ends_at - now < certificates.RENEW_WITHIN:
        yield f"{one.station}'s certificate ends on {ends_at:%Y-%m-%d}: evcs-cp certificate"


CHECKS = (listener, chargers)
