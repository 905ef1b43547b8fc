"""Doctor's checks of the home's files: store, ledger, sections, secrets."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

from evcs.adapters import certificates, journal_db, journal_places, ledger_mark, ledger_schema
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.section_files import SectionFiles
from evcs.cli import bounds
from evcs.cli.bounds import FAIL, OK, WARN, Finding, some
from evcs.cli.check import accounts
from evcs.cli.doctor.context import DoctorContext
from evcs.cli.tls import make, wanted_names
from evcs.core import stations
from evcs.core.errors import RESTORE, EvcsError
from evcs.core.hosts import Hosts, joined_of
from evcs.core.identities import (
    SERVICES,
    of_all,
    of_cp,
    of_driver,
    of_host,
    of_meter,
    of_station,
)


def store(ctx: DoctorContext) -> Finding:
    """The Registry's file and its copy."""
    found, bad = ctx.stored
    names = some(f"{path.name} {wrong}" for path, wrong in bad.items())
    if found is None and bad:
        return Finding("store", FAIL, names, RESTORE)
    if found is None and SecretFiles(ctx.home).names("cp"):
        return Finding(
            "store", FAIL, "registry.json and its copy are gone, but CPs have secrets",
            f"{RESTORE}; or remove data/secrets/cp and driver to start empty",
        )  # fmt: skip
    if bad:
        return Finding("store", WARN, names, "evcs restart mends it from the other")
    if found is None:
        return Finding("store", OK, "empty: this home was never started")
    return Finding("store", OK, f"CPs: {len(found.cps)}, drivers: {len(found.drivers)}")


def ledger(ctx: DoctorContext) -> Finding:
    """SQLite's own check of the ledger, and whether its rows can be what they are."""
    path = ctx.home.ledger_db
    if not path.exists():
        ledger_mark.check(path)
        return Finding("ledger", OK, "none yet")
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        try:
            ledger_schema.version(db, path)
            answer = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            db.close()
    except ledger_schema.ERRORS as error:
        answer = str(error)
    if answer != "ok":
        return Finding("ledger", FAIL, f"ledger.db is damaged: {answer}", RESTORE)
    ledger_mark.check(path)
    return Finding("ledger", OK, f"whole, {LedgerReader(path).check()} sessions")


def sections(ctx: DoctorContext) -> Finding:
    """Files in conf/supervisord.d that no CP explains, and those that were set aside."""
    files = SectionFiles(ctx.home.sections)
    odd = files.unexpected()
    foreign = [path for path in odd if path.stem not in ctx.cps]

    def fix() -> str:
        goals = [files.quarantine(path).name for path in foreign]
        return f"set aside: {', '.join(goals)}"

    if odd:
        text = f"not as they should be: {some(path.name for path in odd)}"
        remedy = "evcs doctor --fix sets aside what is foreign; the CP Manager writes its own"
        return Finding("section files", FAIL, text, remedy, fix if foreign else None)
    broken = sorted(ctx.home.sections.glob("*.broken*"))
    if broken:
        text = f"set aside earlier: {some(path.name for path in broken)}"
        remedy = f"look at them, then remove them from {ctx.home.sections}"
        return Finding("section files", WARN, text, remedy)
    return Finding("section files", OK, "none but the CP Manager's")


def secrets(ctx: DoctorContext) -> Finding:
    """Modes: nobody but the owner may read a secret."""
    home = ctx.home
    top = home.data / "secrets"
    wanted = {path: 0o700 for path in (home.data, home.run, top) if path.is_dir()}
    for path in sorted(top.rglob("*")) if top.is_dir() else []:
        if not path.is_symlink():
            wanted[path] = 0o700 if path.is_dir() else 0o600
    if home.passwords.exists():
        wanted[home.passwords] = 0o600
    open_ = {p: mode for p, mode in wanted.items() if stat.S_IMODE(p.stat().st_mode) & ~mode}
    empty = [path for path in wanted if path.is_file() and path.stat().st_size == 0]
    if empty:
        text = f"empty: {some(_below(home.data, path) for path in empty)}"
        tls = any(path.parent.name == "tls" for path in empty)
        remedy = "evcs tls init" if tls else "evcs restart makes them anew"
        return Finding("secrets", FAIL, text, remedy)

    def fix() -> str:
        for path, mode in open_.items():
            path.chmod(mode)
        return f"closed to others: {some(_below(home.data, path) for path in open_)}"

    if open_:
        text = f"others may look into {some(_below(home.data, path) for path in open_)}"
        remedy = "evcs doctor --fix; whoever has read them may speak for their owners"
        return Finding("secrets", FAIL, text, remedy, fix)
    return Finding("secrets", OK, f"{len(wanted)} files and folders, none open to others")


def _below(top: Path, path: Path) -> str:
    return str(path.relative_to(top)) if path.is_relative_to(top) else path.name


def identities(ctx: DoctorContext) -> Finding:
    """Store = secrets = accounts at the broker, as the files have them."""
    home = ctx.home
    if ctx.stored[0] is None:
        return Finding("identities", OK, "none yet")
    secrets = SecretFiles(home)
    stored = ctx.stored[0]
    others = joined_of(stored.hosts)
    known = set(of_all(stored.cps.values(), stored.drivers, stored.circuits, others))
    there = {who for cp in secrets.names("cp") for who in of_cp(cp) if home.secret(who).exists()}
    there |= {of_driver(driver) for driver in secrets.names("driver")}
    there |= {of_meter(circuit) for circuit in secrets.names("meter")}
    there |= {of_station(station) for station in secrets.names("station")}
    there |= {name for name in SERVICES if home.secret(name).exists()}
    there |= {of_host(host) for host in secrets.names("manager")}
    keys = set(map(of_station, stations.of(ctx.cps.values())))
    revoked = {who for one in ctx.cps.values() if one.revoked for who in of_cp(one.id)}
    may_speak = accounts(home)
    wrong = {
        "without a secret": (known | keys) - there,
        "with a secret and no record": there - known - keys - revoked,
        "without an account": known - may_speak,
        "with an account and no record": may_speak - known,
    }
    texts = [f"{what}: {some(sorted(names))}" for what, names in wrong.items() if names]
    if texts:
        return Finding("identities", FAIL, "; ".join(texts), "evcs restart puts them right")
    places = Hosts(ctx.settings.host, stored.hosts)
    elsewhere = {one.id: one for one in ctx.cps.values() if not places.has(one.host)}
    if alive := sorted(cp for cp, one in elsewhere.items() if not one.deleted):
        text = f"of hosts that this system does not have: {some(alive)}"
        return Finding("identities", FAIL, text, f"evcs-cp delete {alive[0]}, and create it here")
    if elsewhere:
        text = f"deleted, of hosts that this system does not have: {some(sorted(elsewhere))}"
        return Finding("identities", FAIL, text, "evcs restart takes away what is left of them")
    return Finding("identities", OK, f"{len(known)}, each with its secret and account")


def journals(ctx: DoctorContext) -> Finding:
    """What an Engine holds of a supply, of CPs that are gone."""
    if ctx.stored[0] is None:
        return Finding("journals", OK, "none yet")
    folder = ctx.home.data / "journals"
    found = [(path.stem, path.name) for path in sorted(folder.glob("*.jsonl"))]
    for path in journal_places.in_pools(ctx.home).values():
        try:
            found += [(cp, f"{cp} in {path.name}") for cp in sorted(journal_db.read(path))]
        except OSError as error:
            text = f"{path.name} can't be read: {error.strerror}"
            remedy = "evcs-cp restart one of its CPs: its pool sets the file aside and begins anew"
            return Finding("journals", FAIL, text, remedy)
    if nobodys := [where for cp, where in found if cp not in ctx.cps]:
        text = f"of no CP: {some(nobodys)}"
        remedy = (
            "evcs sessions shows whether its session is settled; if so, remove the file, "
            "or create that CP and delete it"
        )
        return Finding("journals", WARN, text, remedy)
    if aside := sorted(path.name for path in folder.glob("*.broken*")):
        return Finding(
            "journals", WARN, f"set aside earlier: {some(aside)}", "look, and remove them"
        )
    return Finding("journals", OK, f"{len(found)}, each of a CP")


def certificate(ctx: DoctorContext) -> Finding:
    """The certificates that listeners beyond this machine need."""
    path, check = certificates.server(ctx.home), "certificates"
    if not path.exists():
        if ctx.settings.needs_certificate:
            return Finding(check, FAIL, "none, and the settings ask for TLS", "evcs tls init")
        return Finding(check, OK, "none needed: all listeners are on this machine")
    try:
        found = certificates.read_server(ctx.home)
    except EvcsError as error:
        return Finding(check, FAIL, error.message, error.hint)
    if not certificates.is_of_authority(ctx.home):
        text = f"{path.name} is not of the CA in {ctx.home.ca}, so clients refuse it"
        return Finding(check, FAIL, text, "evcs tls init --renew")
    missing = wanted_names(ctx.settings) - found.names
    if missing:
        text = f"not for {some(sorted(missing))}, as the settings have it"
        return Finding(check, FAIL, text, "evcs tls init")

    def fix() -> str:
        renewed, _ = make(ctx.settings, wanted_names(ctx.settings), False)
        return f"renewed, until {renewed.ends_at:%Y-%m-%d}"

    now = datetime.now(UTC)
    authority = bounds.certificate("the CA's certificate", certificates.read(ctx.home.ca), now)
    if authority.level != OK:
        remedy = "remove data/tls and data/secrets/tls; evcs tls init; hand out the new ca.crt"
        return authority._replace(remedy=remedy)
    finding = bounds.certificate("the server's certificate", found, now)
    return finding if finding.level == OK else finding._replace(fix=fix)


CHECKS = (store, ledger, sections, secrets, identities, journals, certificate)
OF_HOST = (sections, secrets)
