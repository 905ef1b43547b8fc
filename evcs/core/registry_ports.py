"""What the Registry needs beside a bus and a clock: Protocols.

As in core.ports: adapters implement these, tests have fakes, errors are those of core.errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from evcs.core.hosts import Host
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver


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
        self, revision: int, *, cps: Iterable[DesiredCp], gone: Iterable[str],
        drivers: Iterable[DesiredDriver], drivers_gone: Iterable[str],
        circuits: Iterable[Circuit], circuits_gone: Iterable[str],
        hosts: Iterable[Host], hosts_gone: Iterable[str],
    ) -> None:  # fmt: skip
        """One transaction. Raises EvcsError where the disk refuses it; all is then as before."""
