"""What the web app is built from; bootstrap fills it in, tests put their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from evcs.core.web_ports import LedgerReader, RegistryClient
from evcs.services.doors import Names, local_names
from evcs.services.web.login_auth import LoginAuth
from evcs.services.web.service import Web


class Threads(Protocol):
    """Run what reads files and the ledger; adapters.worker_threads has them."""

    def run(self, work: Callable[[], Any], goes_on: bool = False) -> Any:
        """Its result. Raises Unreachable where too many wait, unless it `goes_on`."""


class Deps(NamedTuple):
    """`last_lines(cp, role, count)`: of the logs of `host`'s CPs, the oldest first.

    `ocpp_url`: where real chargers dial in, without their identity.
    `threads`: for what would hold up every stream, the operator's or those of all others.
    """

    web: Web
    doors: LoginAuth
    registry: RegistryClient
    ledger: LedgerReader
    host: str
    last_lines: Callable[[str, str, int], list[str]]
    url: str
    threads: Callable[[], Threads]
    ocpp_url: str = ""
    names: Names = local_names
    open_to_all: bool = True
