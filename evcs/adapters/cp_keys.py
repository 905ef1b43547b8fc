"""The secrets of the CPs of a host that has joined: fetched from the centre, kept as files there.

At the centre the Registry writes them where they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from evcs.adapters.secret_files import SecretFiles
from evcs.config import Settings
from evcs.core.errors import EvcsError, OtherFormat, Unreachable
from evcs.core.identities import of_host
from evcs.runtime.crash_points import crash_point

#: The CP Manager has to show that it lives.
WITHIN_S = 4.0


class AtCentre:
    """Nothing is to be done."""

    def fetch(self, revisions: Mapping[str, int]) -> None:
        """They are there."""

    def forget_revisions(self) -> None:
        """There is none."""

    def drop(self, cps: Set[str]) -> None:
        """The Registry does that."""


class Fetched:
    """Those of one host."""

    def __init__(self, settings: Settings) -> None:
        # What it loads the centre's own CP Manager has no use for.
        from evcs.adapters.registry_http import RegistryClient

        self._secrets = secrets = SecretFiles(settings.home)
        own = of_host(settings.host)
        self._registry = RegistryClient(
            settings.registry, lambda: secrets.read(own), timeout_s=WITHIN_S
        )
        #: CP -> the revision for which its secrets were fetched: with a change they may be others.
        self._seen: dict[str, int] = {}

    def fetch(self, revisions: Mapping[str, int]) -> None:
        """Have the secrets of these CPs, as of these revisions. Raises EvcsError."""
        if all(self._seen.get(cp) == revision for cp, revision in revisions.items()):
            return
        try:
            found = self._registry.secrets()["secrets"]
        except OtherFormat:
            raise
        except EvcsError as error:
            raise Unreachable(f"no secrets from the centre: {error}", "see: evcs doctor") from None
        for who, secret in found.items():
            self._secrets.restore(who, secret)
        crash_point("manager.secrets_fetched")
        there = {who.split("/")[1] for who in found}
        self._seen |= {cp: revision for cp, revision in revisions.items() if cp in there}

    def forget_revisions(self) -> None:
        """All are fetched anew: one of a Registry from a backup may stand for other secrets."""
        self._seen.clear()

    def drop(self, cps: Set[str]) -> None:
        """These are here no more."""
        for cp in cps & {*self._secrets.names("cp")}:
            self._secrets.remove(f"cp/{cp}")
            self._seen.pop(cp, None)
            crash_point("manager.secrets_dropped")
