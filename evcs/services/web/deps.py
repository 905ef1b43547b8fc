"""What the web app is built from; bootstrap fills it in, tests put their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from evcs.adapters.registry_http import RegistryClient
from evcs.adapters.supervisord import Supervisord
from evcs.services.web.doors import Doors
from evcs.services.web.service import Web


class Sessions(Protocol):
    """The ledger, to read."""

    def sessions(
        self, cp: str | None, driver: str | None, since: str | None, state: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Sessions as the contract has them, the latest first."""


class Deps(NamedTuple):
    """`in_thread` runs what would hold up every stream: reading files and the ledger."""

    web: Web
    doors: Doors
    registry: RegistryClient
    supervisord: Supervisord
    ledger: Sessions
    logs: Path
    url: str
    in_thread: Callable[[Callable[[], Any]], Any]
