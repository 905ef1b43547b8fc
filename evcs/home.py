"""The folder of one system: where each of its files is. No path leads out of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from evcs.core import pools
from evcs.core.errors import BadValue
from evcs.core.ids import check_id

# A unix socket's path ends at 107 bytes; the longest below a home is supervisord's.
_LONGEST_BELOW_HOME = len("/conf/../run/supervisor.sock.123456789")
MAX_HOME = 107 - _LONGEST_BELOW_HOME

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def _inside(name: str, levels: int = 1) -> str:
    """A name that can't lead out of the folder it is put in, whoever gave it. Raises BadValue."""
    parts = name.split("/")
    if len(parts) > levels or not all(_NAME.fullmatch(part) for part in parts):
        raise BadValue(f"{ascii(name)[:80]} names no file of a home", "letters, digits, _ . -")
    return name


class Home(NamedTuple):
    """The folder that holds everything a running system reads or writes.

    Whatever is asked of it, no path leads out of it: it looks at each name itself.
    """

    path: Path

    @property
    def supervisord_conf(self) -> Path:
        return self.path / "conf" / "supervisord.conf"

    @property
    def sections(self) -> Path:
        return self.path / "conf" / "supervisord.d"

    @property
    def pools(self) -> Path:
        """Whom each pool hosts."""
        return self.path / "conf" / "pools"

    @property
    def back_ends(self) -> Path:
        """The back end of each CP that has one."""
        return self.path / "conf" / "backends"

    def back_end(self, cp: str) -> Path:
        """That of a CP; it has none where there is no file."""
        return self.back_ends / f"{check_id('CP', cp)}.json"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def registry_json(self) -> Path:
        return self.data / "registry.json"

    @property
    def ledger_db(self) -> Path:
        return self.data / "ledger.db"

    @property
    def passwords(self) -> Path:
        return self.data / "mosquitto.passwd"

    @property
    def access(self) -> Path:
        """What each identity may say and hear on the bus."""
        return self.data / "mosquitto.acl"

    @property
    def ca(self) -> Path:
        """The certificate that all of ours are verified by; it may be handed out."""
        return self.data / "tls" / "ca.crt"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def supervisord_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def broker_socket(self) -> Path:
        """Where this host's own processes reach the broker."""
        return self.run / "mosquitto.sock"

    @property
    def broker_listeners(self) -> Path:
        """Of the broker's settings those that a start makes; without them it does not begin."""
        return self.run / "mosquitto.d" / "listeners.conf"

    def secret(self, identity: str) -> Path:
        """The file that holds the password of an identity, and nothing else."""
        return Path(self.secret_name(identity))

    def secret_name(self, identity: str) -> str:
        """Its name, for who looks at thousands: to make a path takes longer than to read it."""
        return f"{self.path}/data/secrets/{_inside(identity, 3)}"

    def journal(self, cp: str) -> Path:
        """An Engine's journal."""
        return self.data / "journals" / f"{check_id('CP', cp)}.jsonl"

    def pool_journal(self, unit: str) -> Path:
        """The journals of a pool's Engines, or of the gateway's."""
        return self.data / "journals" / f"{pools.checked(unit)}.db"

    @property
    def transaction_number(self) -> Path:
        """The highest number that a charger's transaction may have been given."""
        return self.data / "transaction_number"

    def spool(self, service: str) -> Path:
        """What a service has for the audit, until Central takes it up."""
        return self.data / "audit" / service

    def engine_socket(self, cp: str) -> Path:
        """Where an Engine answers its Monitor, relative to the home, for its length."""
        return Path("run") / "cp" / f"{check_id('CP', cp)}.sock"

    def pool_socket(self, pool: str, role: str) -> Path:
        """Where the process of a pool answers, as an Engine does."""
        return Path("run") / "cp" / f"{pools.checked(pool)}.{_inside(role)}.sock"

    def member_file(self, pool: str) -> Path:
        """Whom that pool hosts."""
        return self.pools / pools.file_name(pool)

    def alive(self, service: str) -> Path:
        """A file whose time is the service's last sign of life."""
        return self.run / "alive" / service

    def lock(self, role: str) -> Path:
        """Held by the one process that plays the role."""
        return self.path.joinpath("run", "lock", f"{_inside(role)}.lock")


def check_home(path: Path) -> Path:
    """A home as an absolute path that supervisord and unix sockets can live with."""
    path = path.expanduser().absolute()
    text = str(path)
    bad = sorted(set(text) & set('%;"\n\r\\'))
    if bad:
        raise BadValue(f"home {text!r} holds {bad[0]!r}", "choose a plain folder as EVCS_HOME")
    if len(os.fsencode(text)) > MAX_HOME:
        raise BadValue(
            f"home {text} is too long for unix sockets",
            f"choose an EVCS_HOME of at most {MAX_HOME} bytes",
        )
    return path
