"""`evcs backup` and `restore`: all that can't be made again, as one file and back."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from evcs import __version__
from evcs.adapters import backup_content, backup_copies, backup_file, registry_db
from evcs.adapters.clock import timestamp
from evcs.adapters.files import hold_lock, make_folder, sync_folder, write_atomic
from evcs.adapters.ledger import Ledger
from evcs.adapters.supervisord import supervisord_pid
from evcs.cli.common import CommandContext, command, user
from evcs.cli.supervision import require_own
from evcs.core.audit import BROKER_LOG, OPERATOR, AuditEntry
from evcs.core.errors import BadValue, Conflict, EvcsError, NotFound
from evcs.core.session import Phase, Session
from evcs.core.units import is_time
from evcs.home import Home

#: Of charges that go on.
SHOWN = 5


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""

    @command(program)
    @click.argument("file", type=click.Path(path_type=Path))
    def backup(ctx: CommandContext, file: Path) -> None:
        """Back up CPs, drivers, secrets and tickets into FILE.

        The system may run.

        Examples:
          evcs backup monday.backup
        """
        require_own(ctx.settings.home)
        if not registry_db.RegistryDb.exists(ctx.settings.home.registry_json):
            raise NotFound(f"nothing to back up in {ctx.settings.home.path}", "is it the home?")
        about = {"evcs": __version__, "made_at": timestamp()}
        manifest = backup_file.write(ctx.settings.home, file.absolute(), about)
        _tell(ctx, file, manifest, "backed up into")
        ctx.out.say("it holds every secret: keep it as you would keep those")

    @command(program)
    @click.argument("file", type=click.Path(path_type=Path))
    def restore(ctx: CommandContext, file: Path) -> None:
        """Restore a backup into a home that holds no system yet.

        Examples:
          EVCS_HOME=~/again evcs restore monday.backup
          EVCS_HOME=~/again evcs up --wait
        """
        require_own(ctx.settings.home)
        home = ctx.settings.home
        manifest, under_way = _restore(home, file.absolute())
        _tell(ctx, file, manifest, "restored from", [one.session_id for one in under_way])
        stored, _ = registry_db.peek(home.registry_json)
        for cp in stored.cps.values() if stored else ():
            if cp.host != ctx.settings.host and not cp.deleted:
                ctx.out.say(f"{cp.id} is of host {cp.host}, which is not here: evcs doctor")
        for line in _goes_on(under_way):
            ctx.out.say(line)
        ctx.out.say(f"start it: {in_home(home)}evcs up --wait")
        ctx.out.say(f"to go back: {in_home(home)}evcs down; {_way_back(home)}")


def _kept_in(home: Home) -> list[Path]:
    """What a home holds a system in, as far as it is there."""
    return [path for path in (home.data, home.sections) if path.exists()]


def _aside(home: Home) -> Path:
    """Where that is put before a restore."""
    return home.path / "before"


def _way_back(home: Home) -> str:
    """The commands that undo a restore; what was put aside comes back."""
    steps = [["rm", "-rf", str(home.data), str(home.sections)]]
    goals = {_aside(home) / path.name: path.parent for path in (home.data, home.sections)}
    steps += [["mv", str(kept), str(goal)] for kept, goal in goals.items() if kept.exists()]
    if len(steps) > 1:
        steps.append(["rmdir", str(_aside(home))])
    return "; ".join(map(shlex.join, steps))


def in_home(home: Home) -> str:
    """What stands before a command that is typed for a home which is not the checkout's own."""
    return f"EVCS_HOME={shlex.quote(str(home.path))} " if os.environ.get("EVCS_HOME") else ""


def _goes_on(under_way: Sequence[Session]) -> Iterator[str]:
    """What becomes of charges that the backup holds as under way."""
    for one in under_way[:SHOWN]:
        whose = f"{one.driver or 'nobody known'} at {one.cp}"
        yield (
            f"a charge was under way, {whose}: it goes on once {one.cp} is up; "
            f"or end it then: evcs sessions end {one.session_id}"
        )
    if len(under_way) > SHOWN:
        yield f"and {len(under_way) - SHOWN} more: evcs sessions --state interrupted"


def _tell(
    ctx: CommandContext, file: Path, manifest: dict[str, Any], done: str,
    under_way: Sequence[str] | None = None,
) -> None:  # fmt: skip
    home = ctx.settings.home
    stored, _ = registry_db.peek(home.registry_json)
    cps, drivers = (len(stored.cps), len(stored.drivers)) if stored else (0, 0)
    found = {
        "file": str(file), "home": str(home.path), "made_at": manifest.get("made_at"),
        "files": len(manifest["files"]), "cps": cps, "drivers": drivers,
        **({} if under_way is None else {"under_way": under_way}),
    }  # fmt: skip
    counts = f"CPs: {cps}, drivers: {drivers}, files: {found['files']}"
    ctx.out.done(found, f"{done} {file} ({counts})")


def _restore(home: Home, source: Path) -> tuple[dict[str, Any], list[Session]]:
    """The backup's manifest, and the charges that it holds as under way. Raises EvcsError."""
    pid = supervisord_pid(home)
    if pid is not None:
        raise Conflict(f"a system runs in {home.path} (pid {pid})", "restore into an empty home")
    if not source.is_file():
        raise NotFound(f"there is no file {source}", "name a backup")
    make_folder(home.path)
    make_folder(home.run, 0o700)
    lock = hold_lock(home.lock("up"), "evcs up")
    stage = home.path / backup_file.RESTORING
    try:
        shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
        _require_empty(home)
        stage.mkdir(0o700)
        manifest = backup_file.read(source, stage)
        _judge(stage, source)
        under_way = _interrupt(stage / backup_copies.LEDGER, home, manifest.get("made_at"))
        settings = stage / backup_copies.SETTINGS
        if settings.exists() and not (home.path / backup_copies.SETTINGS).exists():
            make_folder(home.path / "conf")
            write_atomic(home.path / backup_copies.SETTINGS, settings.read_bytes())
        (stage / "data").rename(home.data)
        sync_folder(home.path)
        return manifest, under_way
    except OSError as error:
        hint = "make room" if error.errno == errno.ENOSPC else "is the home yours?"
        raise EvcsError(f"the backup can't be restored: {error.strerror}", hint) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        os.close(lock)


def _require_empty(home: Home) -> None:
    kept = next((path for path in home.data.rglob("*") if not path.is_dir()), None)
    kept = kept or next(home.sections.glob("*.conf"), None)
    if kept is not None:
        aside = shlex.join(["mkdir", str(_aside(home))])
        aside += " && " + shlex.join(["mv", *map(str, (*_kept_in(home), _aside(home)))])
        raise Conflict(
            f"{home.path} holds a system already ({kept.relative_to(home.path)})",
            f"choose an empty folder: export EVCS_HOME=...; or put that one aside: {aside}",
        )
    if home.data.is_dir():
        shutil.rmtree(home.data)


def _judge(stage: Path, source: Path) -> None:
    try:
        backup_content.check(stage)
    except BadValue as error:
        raise BadValue(f"{source}: {error.message}", error.hint) from None


def _interrupt(path: Path, home: Home, made_at: object) -> list[Session]:
    """What supplied when the backup was made was cut off by it, as by a power cut; what goes on.

    The broker's log of then is read on where it is here; else there is none to be read on.
    """
    if not path.exists():
        return []
    ledger = Ledger(path)
    there = ledger.open_sessions()
    cut = [one for one in there if one.phase == Phase.SUPPLYING]
    who = f"{OPERATOR}/{user()}"
    of = made_at if isinstance(made_at, str) and is_time(made_at) else "an unknown time"
    detail = f"{len(cut)} interrupted; the backup is of {of}, and nothing later is in here"
    entry = AuditEntry(timestamp(), who, "restore", None, "ok", detail)
    cut = [one._replace(phase=Phase.INTERRUPTED, power_w=0) for one in cut]
    has_log = any(home.log.glob("mosquitto.log*"))
    ledger.commit(cut, [], [entry], {} if has_log else {BROKER_LOG: None})
    ledger.close()
    return [one for one in there if one.phase in (Phase.SUPPLYING, Phase.INTERRUPTED)]
