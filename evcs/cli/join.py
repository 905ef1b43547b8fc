"""`evcs join`: this home becomes a host of a centre."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evcs.adapters.files import make_folder, write_atomic
from evcs.adapters.registry_db import RegistryDb
from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.secret_files import SecretFiles
from evcs.adapters.supervisord import supervisord_pid
from evcs.cli import supervision
from evcs.cli.common import CommandContext, command
from evcs.config import Endpoint, Settings, load
from evcs.core import join_file
from evcs.core.errors import Conflict, Denied, NotFound
from evcs.core.identities import of_host
from evcs.core.join_file import JoinFile

#: Whether it can be read is told with a next step.
FILE = click.Path(dir_okay=False, readable=False, allow_dash=True, path_type=Path)
TOML = """\
# Written by evcs join.
host = "{host}"
centre = "{centre}"
registry_port = {registry_port}

[mqtt]
tls_port = {mqtt_tls_port}
"""


def add_to(program: click.Group) -> None:
    """Add `join` to `evcs`."""

    @command(program, "join")
    @click.argument("file", type=FILE)
    @click.option("--start/--no-start", default=True, help="Also start it.")
    def join(ctx: CommandContext, file: Path, start: bool) -> None:
        """Have this machine run CPs for a centre.

        The file is of evcs host add there; it is good once. As - it is read from stdin: where
        evcs is installed for the whole machine, it acts as a user who may not read root's files.

        Examples:
          evcs join h2.join
          evcs join - --no-start
        """
        given = join_file.parse(_read(file))
        settings = ctx.settings
        _check(settings, given)
        settings = joined(settings, given)
        ctx.out.say(f"joined the centre at {given.centre} as {given.host}")
        if start:
            supervision.start(settings, ctx.out.say, stage=ctx.out.stage)
        found = {"host": given.host, "centre": given.centre, "started": start}
        ctx.out.done(found, f"its CPs are made at the centre: evcs-cp create --host {given.host}")


def _read(file: Path) -> bytes:
    """What it holds. Raises NotFound, Denied."""
    if str(file) == "-":
        return sys.stdin.buffer.read(join_file.MAX_BYTES)
    try:
        with file.open("rb") as opened:
            return opened.read(join_file.MAX_BYTES)
    except FileNotFoundError:
        raise NotFound(f"no file {file}", "make one at the centre: evcs host add") from None
    except PermissionError:
        text = f"{file} can't be read by this user"
        raise Denied(text, f"who may read it hands it on: evcs join - < {file}") from None


def _check(settings: Settings, given: JoinFile) -> None:
    """Whether this home may become that host. Raises EvcsError."""
    home = settings.home
    supervision.require_own(home)
    if supervisord_pid(home) is not None:
        raise Conflict("a system runs in this home", "end it first: evcs down")
    if RegistryDb.exists(home.registry_json):
        raise Conflict(f"{home.path} is a centre: it has a Registry", "choose another EVCS_HOME")
    if settings.is_joined and settings.host != given.host:
        text = f"{home.path} is host {settings.host} already"
        raise Conflict(text, "choose another EVCS_HOME")
    if not settings.is_joined and _toml(settings).exists():
        raise Conflict(f"{_toml(settings)} exists already", "move it away: evcs join writes it")


def _toml(settings: Settings) -> Path:
    return settings.home.path / "conf" / "evcs.toml"


def joined(before: Settings, given: JoinFile) -> Settings:
    """Join, and give the settings of the host that this home is then. Raises EvcsError."""
    home = before.home
    make_folder(home.path / "conf")
    make_folder(home.data, 0o700)
    make_folder(home.ca.parent)
    # One that has joined keeps what it has where that fails.
    ca = home.ca.with_name("joining.crt")
    try:
        write_atomic(ca, given.ca.encode())
        there = Endpoint(given.centre, given.registry_port, ca)
        found = RegistryClient(there, lambda: given.secret).join()
        ca.replace(home.ca)
    finally:
        ca.unlink(missing_ok=True)
    SecretFiles(home).restore(of_host(given.host), found["secret"])
    # With this it is a host: all else is there.
    write_atomic(_toml(before), TOML.format(**given._asdict()).encode())
    return load(home=home.path)
