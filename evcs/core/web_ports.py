"""What web needs beside a bus and a clock: Protocols, and what they give.

As in core.ports: adapters implement these, tests have fakes, errors are those of core.errors.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypedDict, Unpack

from evcs.core.readings import Sample
from evcs.core.session import Session


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


class SessionFilter(TypedDict, total=False):
    """Which sessions: those that all of it fits; None says as little as what is left out.

    `since` and `until` are RFC 3339 times, `cp_part` and `driver_part` parts of an id, whatever
    their case.
    """

    cp: str | None
    driver: str | None
    since: str | None
    until: str | None
    state: str | None
    cp_part: str | None
    driver_part: str | None


class LedgerReader(Protocol):
    """The ledger, beside its writer (adapters.ledger_reader). May raise EvcsError."""

    def sessions(
        self, *, limit: int, after: tuple[str, str] | None = None,
        **asked: Unpack[SessionFilter],
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Sessions by filter, the latest first; `after`: started_at and session_id of one."""

    def session(self, session_id: str) -> Session | None:
        """One session, with its correction."""

    def audit(self, cp: str | None, since: str | None, limit: int) -> list[dict[str, Any]]:
        """The audit's entries by filter, the latest first."""

    def readings(self, cp: str, since: int, until: int) -> list[Sample]:
        """A CP's, and the one that held as that time began; seconds of the epoch."""

    def sums(self, **asked: Unpack[SessionFilter]) -> Sums:
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
