"""What Registry, CP Manager and web need beside a bus and a clock: Protocols, and what they give.

As in core.ports: adapters implement these, tests have fakes, errors are those of core.errors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from evcs.core.audit import AuditEntry
from evcs.core.back_ends import BackEndOf
from evcs.core.hosts import Host
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver
from evcs.core.pools import Members
from evcs.core.session import Session


class Process(NamedTuple):
    """One process as its host sees it; `pid` 0 where there is none.

    `started`: seconds of the epoch. `idle_s`: seconds since its last start or end, none before its
    first. `error`: why it could not be started.
    """

    group: str
    name: str
    state: str
    pid: int
    started: int
    idle_s: int
    error: str
    exit_code: int = 0


class LogPage(NamedTuple):
    """Lines of a log, the oldest first. `next`: asks for those before; None: there are none."""

    lines: list[str]
    next: str | None


class Reload(NamedTuple):
    """What a process host found on reading its files: groups new, different, and vanished."""

    added: frozenset[str]
    changed: frozenset[str]
    removed: frozenset[str]


class ProcessHost(Protocol):
    """Runs the CPs' processes, a group a unit (adapters.supervisord).

    Each call raises Unreachable where it isn't there.
    """

    def processes(self) -> list[Process]:
        """All processes of all groups."""

    def reload(self) -> Reload:
        """Have the files read again; acts on nothing."""

    def add(self, units: Sequence[str]) -> Mapping[str, str]:
        """Take up units by their section files and start them; why not, of those that failed."""

    def start(self, groups: Collection[str]) -> None:
        """Start the stopped processes of these groups, without waiting."""

    def start_anew(self, processes: Iterable[str]) -> None:
        """Start processes ("CP-001:engine") now, whatever their host is waiting for."""

    def begin_stop(self, groups: Collection[str]) -> None:
        """Have all processes of these groups end, without waiting; a hung one takes 10 s."""

    def stop(self, groups: Collection[str]) -> None:
        """The same, and wait for their end. Raises TimedOut."""

    def kill(self, process: str) -> None:
        """End a process ("CP-001:engine") at once, as a crash would; none there is well."""

    def remove(self, groups: Iterable[str]) -> None:
        """Forget stopped groups."""


class SectionStore(Protocol):
    """The files by which the process host runs units, one a unit (adapters.section_files).

    May raise OSError.
    """

    def texts(self, units: Iterable[str] | None = None) -> Mapping[str, str | None]:
        """Unit -> text of its file, None where it can't be read; of these, or of all that have one.

        Units without a file are left out.
        """

    def unexpected(self) -> Sequence[Path]:
        """Files that the process host would read and that are not what we would write."""

    def write(self, unit: str) -> None:
        """Put the unit's section in place."""

    def erase(self, unit: str) -> None:
        """Remove the unit's section."""

    def quarantine(self, path: Path) -> Path:
        """Rename a file so that it is not read; its new place."""


class MemberStore(Protocol):
    """Whom each pool hosts, a file a pool (adapters.pool_files). May raise OSError."""

    def members(self) -> Mapping[str, Members | None]:
        """Pool -> its members, None where its file can't be read; of pools that have a file."""

    def write(self, pool: str, members: Members) -> None:
        """Put a pool's file in place."""

    def erase(self, pool: str) -> None:
        """Remove it."""


class CpStore(Protocol):
    """What CPs have on their host beside a place (adapters.cp_traces). May raise OSError."""

    def held(self, cps: Set[str]) -> Set[str]:
        """Those of which an Engine or a Monitor lives here, in whichever place, hung ones too.

        Who is just about to let go is waited for, some tenths of a second.
        """

    def unsettled(self, cps: Set[str]) -> Set[str]:
        """Those that have a charge in what is kept of them here, of which somebody has to hear."""

    def carry_over(self, places: Mapping[str, str]) -> None:
        """CP -> the unit in which it is to begin: what another place has kept of it goes there."""

    def put_back_ends(self, of: Mapping[str, BackEndOf]) -> None:
        """What the Engines of these CPs have to know of their back ends."""

    def remove(self, cps: Set[str]) -> None:
        """CPs made later under the same ids must not find these ones' journals."""


class CpKeys(Protocol):
    """The secrets of a host's CPs, which the Registry gives them (adapters.cp_keys)."""

    def fetch(self, revisions: Mapping[str, int]) -> None:
        """Have those of these CPs, as of these revisions of theirs. Raises EvcsError, OSError."""

    def drop(self, cps: Set[str]) -> None:
        """These CPs are here no more."""


class SecretStore(Protocol):
    """Identities' passwords (adapters.secret_files). May raise OSError."""

    def create_all(self, identities: Iterable[str]) -> dict[str, str]:
        """New passwords by identity, on disk before they are returned; see core.identities."""

    def find(self, identity: str) -> str:
        """The identity's password, "" where it has none that can be read."""

    def ensure(self, identity: str) -> str:
        """The identity's password, made where it is missing or empty."""

    def restore(self, identity: str, password: str) -> bool:
        """Put a known password back where it was lost or changed; whether it was."""

    def remove(self, *identities: str) -> None:
        """Remove identities', or those of all below them ("cp/CP-001"); absent is well."""

    def names(self, kind: str) -> Sequence[str]:
        """Ids that have secrets, of a kind ("cp", "driver")."""


class BrokerAccounts(Protocol):
    """Who may be on the bus, as the broker has it (adapters.broker_accounts)."""

    def keep(self, accounts: Mapping[str, str]) -> float | None:
        """Have it let these in, identity -> password, and nobody else.

        In how many seconds to call again, None where nothing is left to do.
        """

    def read_again(self) -> None:
        """Have the broker read its accounts, whoever wrote them."""

    def left(self) -> None:
        """The broker has ended."""


class DesiredStore(Protocol):
    """What is wanted, as the last commit has it (adapters.registry_db)."""

    def cps(self) -> dict[str, DesiredCp]:
        """All CPs by id, those being deleted too."""

    def drivers(self) -> dict[str, DesiredDriver]:
        """All drivers by id."""

    def circuits(self) -> dict[str, Circuit]:
        """All circuits by name."""

    def hosts(self) -> dict[str, Host]:
        """All hosts beside the centre, by name."""

    def revision(self) -> int:
        """The last revision given to any change, of CPs that are gone too."""

    def commit(
        self, revision: int, cps: Iterable[DesiredCp] = (), gone: Iterable[str] = (),
        drivers: Iterable[DesiredDriver] = (), drivers_gone: Iterable[str] = (),
        circuits: Iterable[Circuit] = (), circuits_gone: Iterable[str] = (),
        hosts: Iterable[Host] = (), hosts_gone: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """One transaction. Raises EvcsError where the disk refuses it; all is then as before."""


class AuditSpool(Protocol):
    """What a service has for the audit, until Central takes it up (adapters.spool)."""

    def tell(self, who: str, what: str, outcome: str, detail: str) -> None:
        """Have something audited that stands for itself."""

    def prepare(self, entries: Iterable[AuditEntry], number: int) -> str:
        """Have it on disk before the commit of that number; its name. Raises OSError."""

    def made(self, prepared: str) -> None:
        """The commit was made: tell."""

    def drop(self, prepared: str) -> None:
        """It was not."""

    def recover(self, number: int) -> None:
        """At the start: tell what the last commit, of that number, has made; drop the rest."""


class SignedIn(Protocol):
    """Sessions of the operator's browsers, over a restart of web (adapters.session_file)."""

    def read(self) -> dict[str, int]:
        """Hash of a session's id -> when it ends, seconds of the epoch; the oldest first."""

    def write(self, sessions: dict[str, int]) -> None:
        """Replace them. What can't be written is removed: an ended session must not come back."""


class Sum(NamedTuple):
    """What the sessions of a day or of a CP come to; `of` says of which."""

    of: str
    sessions: int
    energy_wh: int
    cents: int


class Sums(NamedTuple):
    """The same sessions summed up by day (UTC) and by CP."""

    days: list[Sum]
    cps: list[Sum]


class LedgerReader(Protocol):
    """Sessions and tickets beside the ledger's writer (adapters.ledger). May raise EvcsError.

    `since` and `until` are RFC 3339 times, `cp_part` and `driver_part` parts of an id, whatever
    their case.
    """

    def sessions(
        self, cp: str | None = None, driver: str | None = None, since: str | None = None,
        state: str | None = None, limit: int = 1000, until: str | None = None,
        after: tuple[str, str] | None = None, cp_part: str | None = None,
        driver_part: str | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Sessions by filter, the latest first; `after`: started_at and session_id of one."""

    def session(self, session_id: str) -> Session | None:
        """One session, with its correction."""

    def audit(
        self, cp: str | None = None, since: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The audit's entries by filter, the latest first."""

    def sums(
        self, cp: str | None = None, driver: str | None = None, since: str | None = None,
        state: str | None = None, until: str | None = None, cp_part: str | None = None,
        driver_part: str | None = None,
    ) -> Sums:  # fmt: skip
        """Sums over all sessions of a filter."""


class RegistryClient(Protocol):
    """The Registry, for another service (adapters.registry_http); CPs are the contract's JSON.

    Raises what the Registry raised, or Unreachable.
    """

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Create a CP."""

    def create_many(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create CPs in one commit; an item is a CP or {"error": ...}."""

    def edit(self, cp: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Change fields of a CP."""

    def delete(self, cp: str) -> dict[str, Any]:
        """Begin a CP's deletion."""

    def revoke(self, cp: str) -> dict[str, Any]:
        """Shut a CP's identities out."""

    def rekey(self, cp: str) -> dict[str, Any]:
        """Give a CP new secrets, and lift a revocation."""

    def drivers(self) -> list[dict[str, Any]]:
        """All drivers, with their tags."""

    def add_driver(self, driver: str) -> dict[str, Any]:
        """Add a driver and its secret."""

    def tag_driver(self, driver: str, **change: list[str]) -> dict[str, Any]:
        """Change a driver's tags: `add_tags`, `remove_tags`."""

    def remove_driver(self, driver: str) -> dict[str, Any]:
        """Remove a driver and its secret."""

    def add_circuit(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Add a circuit, with its meter's secret."""

    def edit_circuit(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Change fields of a circuit."""

    def remove_circuit(self, name: str) -> dict[str, Any]:
        """Remove a circuit that feeds nothing."""
