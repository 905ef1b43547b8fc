"""What the web app is built from; bootstrap fills it in, tests put their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from evcs.core.service_ports import LedgerReader, ProcessHost, RegistryClient
from evcs.services.http import Names, local_names
from evcs.services.web.login_auth import LoginAuth
from evcs.services.web.service import Web


class Deps(NamedTuple):
    """`in_thread` runs what would hold up every stream: reading files and the ledger."""

    web: Web
    doors: LoginAuth
    registry: RegistryClient
    supervisord: ProcessHost
    ledger: LedgerReader
    logs: Path
    url: str
    in_thread: Callable[[Callable[[], Any]], Any]
    names: Names = local_names
    open_to_all: bool = True
