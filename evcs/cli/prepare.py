"""A home made ready for supervisord: folders, files, accounts, listeners, limits."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from evcs.adapters import (
    backup_file,
    broker_accounts,
    broker_listeners,
    capacity,
    certificates,
    ledger_mark,
)
from evcs.adapters.files import make_folder, remove_leftovers, set_aside, write_atomic
from evcs.adapters.registry_db import open_store
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.section_files import SectionFiles
from evcs.config import INSTALL_ROOT, TYPED, Settings, to_environment
from evcs.core import messages as m
from evcs.core import reconcile
from evcs.core.errors import BadValue, EvcsError
from evcs.core.fleet_size import NO_CPS, FleetSize
from evcs.core.hosts import joined_of
from evcs.core.identities import of_all, of_host
from evcs.core.placement import MAIN
from evcs.home import Home

STATIC = ("mosquitto.conf", "conf/supervisord.conf", "conf/mosquitto.acl")
STATIC_OF_HOST = ("conf/supervisord.conf",)
MIN_FDS = 4096
KEPT = frozenset({"PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "NOTIFY_SOCKET"})
#: Logs name clients and addresses: nobody beyond the home's group reads them.
LOG_MODE = 0o640
UMASK = 0o027

Say = Callable[[str], None]


def prepare(settings: Settings, say: Say, room_for: FleetSize = NO_CPS) -> int:
    """Make the home ready for supervisord; what was there of desired state is only read.

    Returns how many files supervisord must be able to open, with so many CPs at least. Raises
    EvcsError.
    """
    home = settings.home
    if settings.is_joined:
        return _prepare_joined(settings, say)
    if settings.host != MAIN:
        text = f"setting host: {settings.host!r}, and no centre"
        raise BadValue(text, f"a centre's name is {MAIN}; a host is made by: evcs join")
    _pipes(home, say)
    _certificate(settings, say)
    ledger_mark.check(home.ledger_db)
    _folders(home)
    _leftovers(home)
    _static_files(home, say)
    db = open_store(home)
    cps = db.cps()
    _sections(home, settings.host, cps, say)
    secrets = SecretFiles(home)
    secrets.ensure("operator.token")
    hosts = joined_of(db.hosts())
    names = of_all(cps.values(), db.drivers(), db.circuits(), hosts)
    broker_accounts.write(home, {name: secrets.ensure(name) for name in names})
    fleet = FleetSize.at(settings.host, ((cp.host, cp.hosting) for cp in cps.values()))
    fds = descriptors(max(fleet.own, room_for.own))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    pooled = max(fleet.pooled, room_for.pooled)
    here = capacity.carried_by(fds) + pooled
    # The next that joins has its room at once.
    others = len(hosts) + settings.mqtt_is_open
    broker_listeners.write(settings, hard, here, others, fleet.elsewhere)
    return fds


def _prepare_joined(settings: Settings, say: Say) -> int:
    """The same of a host: what the centre wants of it its CP Manager hears."""
    home = settings.home
    if not home.ca.exists() or not home.secret(of_host(settings.host)).exists():
        text = f"host {settings.host} has nothing to show to its centre"
        raise EvcsError(text, f"join again: at the centre, evcs host add {settings.host}")
    _pipes(home, say)
    _folders(home)
    _leftovers(home)
    _static_files(home, say, STATIC_OF_HOST)
    files = SectionFiles(home.sections)
    for path in files.unexpected():
        say(f"{path} was not as it should be; set aside as {files.quarantine(path).name}")
    return descriptors(len(files.texts()))


def _pipes(home: Home, say: Say) -> None:
    """Who reads a pipe in the place of a file would wait for its end."""
    for folder in (home.data, home.path / "conf", home.run, home.log):
        for inside, _, names in os.walk(folder):
            for path in map(Path(inside).joinpath, names):
                if ".broken" not in path.name and path.is_fifo():
                    say(f"{path} is a pipe, no file; set aside as {set_aside(path).name}")


def _folders(home: Home) -> None:
    for folder in (home.path, home.path / "conf", home.sections, home.log):
        make_folder(folder)
    for folder in (home.data, home.run, home.data / "secrets", home.data / "journals"):
        make_folder(folder, 0o700)
    for folder in (home.run / "cp", home.run / "lock", home.run / "mosquitto.d"):
        make_folder(folder, 0o700)
    for path in home.log.glob("*.log*"):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & 0o777 & ~LOG_MODE:
            path.chmod(mode & LOG_MODE)


def _leftovers(home: Home) -> None:
    """What a kill left half made, in a home where nothing runs."""
    for folder in (home.data, home.path / "conf", home.run):
        remove_leftovers(folder)
    shutil.rmtree(home.path / backup_file.RESTORING, ignore_errors=True)
    backup_file.remove_stage(home)


def _static_files(home: Home, say: Say, names: Sequence[str] = STATIC) -> None:
    """A home beside the checkout gets the checkout's files; what differed is kept as *.old."""
    if home.path == INSTALL_ROOT:
        return
    for name in names:
        wanted = (INSTALL_ROOT / name).read_bytes()
        path = home.path / name
        if path.exists() and path.read_bytes() == wanted:
            continue
        if path.exists():
            path.replace(path.with_name(path.name + ".old"))
            say(f"{path} differed from this version's; kept as {path.name}.old")
        write_atomic(path, wanted)


def _sections(home: Home, host: str, cps: dict[str, m.DesiredCp], say: Say) -> None:
    """One file that supervisord can't read would keep it from starting at all."""
    files = SectionFiles(home.sections)
    units = set(reconcile.wanted(cps, host).values())
    for path in files.unexpected():
        goal = files.quarantine(path)
        say(f"{path} was not as it should be; set aside as {goal.name}")
        if path.stem in units:
            files.write(path.stem)


def _certificate(settings: Settings, say: Say) -> None:
    """Nothing is to be served unencrypted for want of a certificate. Raises EvcsError."""
    if not settings.needs_certificate:
        return
    path = certificates.server(settings.home)
    if not path.exists() or not settings.home.ca.exists():
        raise EvcsError(
            "the settings ask for TLS, and there is no certificate yet", "run: evcs tls init"
        )
    ends_at = certificates.read_server(settings.home).ends_at
    if ends_at <= datetime.now(UTC):
        say(f"the certificate ended on {ends_at:%Y-%m-%d}, clients refuse it; run: evcs tls init")


def descriptors(cps: int) -> int:
    """Open files that supervisord needs for a fleet, with room to grow. Raises EvcsError."""
    wanted = max(MIN_FDS, 2 * (capacity.FDS_BASE + capacity.FDS_A_CP * cps))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        return wanted
    carried = capacity.carried_by(hard)
    if carried < max(cps, 1):
        raise EvcsError(
            f"the limit of {hard} open files carries {carried} CPs; {max(cps, 1)} needed",
            f"raise it: ulimit -n {wanted}",
        )
    return int(hard)


def environment(settings: Settings) -> dict[str, str]:
    """What supervisord and its children get: as little as there needs to be."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or (name.startswith("EVCS_") and name != TYPED)
    }
    path = kept.get("PATH", "/usr/bin:/bin")
    return {
        **kept,
        "PATH": f"{path}:/usr/sbin:/sbin",
        **to_environment(settings),
        "EVCS_PYTHON": sys.executable,
        "PYTHONPATH": str(INSTALL_ROOT),
        # A fork's title must leave its environment readable: by that we know whose it is.
        "SPT_NOENV": "1",
        "MALLOC_ARENA_MAX": "1",
    }
