"""What a host needs of its centre: the line, trust, time, and the same version."""

from __future__ import annotations

from datetime import UTC, datetime

from evcs import __version__
from evcs.adapters import certificates
from evcs.adapters.pool_files import PoolFiles
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.section_files import SectionFiles
from evcs.cli import bounds, versions
from evcs.cli.bounds import FAIL, OK, WARN, Finding
from evcs.cli.doctor.context import DoctorContext
from evcs.core import pools
from evcs.core.errors import EvcsError, Unreachable
from evcs.core.hosts import CLOCK_OFF_S
from evcs.core.identities import of_host

ANSWER_WITHIN_S = 5.0


def _registry(ctx: DoctorContext) -> RegistryClient:
    own = of_host(ctx.settings.host)
    return RegistryClient(
        ctx.settings.registry, lambda: SecretFiles(ctx.home).read(own), timeout_s=ANSWER_WITHIN_S
    )


def link(ctx: DoctorContext) -> Finding:
    """Whether the centre answers, and knows us."""
    where = f"the centre at {ctx.settings.centre}"
    try:
        count = len({who.split("/")[1] for who in _registry(ctx).secrets()["secrets"]})
    except Unreachable as error:
        remedy = "is the line up? if so, at the centre: evcs doctor"
        return Finding("link", FAIL, f"{where}: {error.message}", remedy)
    except EvcsError as error:
        return Finding("link", FAIL, f"{where}: {error.message}", error.hint)
    return Finding("link", OK, f"{where} answers; it wants {count} CPs here")


def clock(ctx: DoctorContext) -> Finding:
    """How far our clock is from the centre's; half of what the answer took may be of that."""
    before = datetime.now(UTC)
    try:
        there = datetime.fromisoformat(_registry(ctx).health()["at"])
    except EvcsError:
        return Finding("centre's clock", OK, "not known: the centre does not answer")
    after = datetime.now(UTC)
    skew_s = (before + (after - before) / 2 - there).total_seconds()
    text = f"ours is {abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) > CLOCK_OFF_S + (after - before).total_seconds() / 2:
        return Finding("centre's clock", WARN, text, "have both machines' clocks set (NTP)")
    return Finding("centre's clock", OK, text)


def certificate(ctx: DoctorContext) -> Finding:
    """What the centre is verified by."""
    found = certificates.read(ctx.home.ca)
    finding = bounds.certificate("the centre's CA", found, datetime.now(UTC))
    if finding.level == OK:
        return finding
    return finding._replace(remedy="join again: at the centre, evcs host add")


def version(ctx: DoctorContext) -> Finding:
    """What runs here and what the centre runs: each of them can have been upgraded alone."""
    check, text = "versions", f"evcs {__version__}"
    if ctx.older:
        text = f"{bounds.some(sorted(ctx.older))} still run another version than {__version__}"
        return Finding(check, WARN, text, "evcs restart")
    try:
        theirs = str(_registry(ctx).secrets()["version"])
    except EvcsError:
        return Finding(check, OK, f"{text}; the centre's is not known: see link")
    if step := versions.upgrade(theirs, "at the centre"):
        return Finding(check, WARN, f"{text}, the centre's is {theirs}", step)
    return Finding(check, OK, f"{text}, as at the centre")


def cps(ctx: DoctorContext) -> Finding:
    """What runs here and is not wanted here: the centre may have been restored from a backup."""
    try:
        wanted = {who.split("/")[1] for who in _registry(ctx).secrets()["secrets"]}
    except EvcsError:
        return Finding("CPs here", OK, "not known: the centre does not answer")
    units, members = SectionFiles(ctx.home.sections).texts(), PoolFiles(ctx.home.pools).members()
    here = {unit for unit in units if not pools.is_shared(unit)}
    here |= {cp for those in members.values() for cp in those or ()}
    if odd := sorted(here - wanted):
        text = f"not wanted by the centre, and left alone: {bounds.some(odd)}"
        remedy = f"what moves goes by itself; what is unknown there: evcs-cp create {odd[0]} "
        return Finding("CPs here", WARN, text, f"{remedy}--host {ctx.settings.host}")
    return Finding("CPs here", OK, f"{len(here)}, all as the centre wants")


CHECKS = (link, clock, certificate, version, cps)
