"""Whether what a backup holds is a home's: each file by the rules that its reader will go by.

What no reader looks for is harmless, since nothing takes a path from a file's content.
"""

from __future__ import annotations

from pathlib import Path

from evcs import config
from evcs.adapters import backup_copies, registry_db
from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.adapters.spool import SPOOLS
from evcs.core.errors import BadValue, EvcsError
from evcs.core.hosts import joined_of
from evcs.core.identities import of_all
from evcs.core.stored import Stored
from evcs.home import Home

#: What has a folder of secrets of its own.
KINDS = ("cp", "driver", "meter", "station", "manager", "gateway", "tls")


def check(stage: Path) -> None:
    """Judge what was unpacked there; a ledger is brought up to date. Raises BadValue.

    What this version can't read would only be noticed by `evcs up`.
    """
    home = Home(stage)
    try:
        stored, bad = registry_db.peek(home.registry_json)
        if stored is None:
            wrong = bad.get(home.registry_json, "is missing")
            raise BadValue(f"its registry.json {wrong}", "take another backup")
        _check_places(home, stored)
        if home.ledger_db.exists():
            ledger = Ledger(home.ledger_db)
            ledger.close()
            LedgerReader(home.ledger_db).check()
    except BadValue:
        raise
    except EvcsError as error:
        text = error.message.replace(f"{stage}/", "its ")
        raise BadValue(text, error.hint or "take another backup") from None
    config.check_file(stage / backup_copies.SETTINGS)


def _check_places(home: Home, stored: Stored) -> None:
    """Whether no file is in the place of a folder, nor the reverse. Raises BadValue.

    What is in the way of a secret would only be noticed by who writes one.
    """
    names = of_all(stored.cps.values(), stored.drivers, stored.circuits, joined_of(stored.hosts))
    files = [home.ledger_db, home.transaction_number, home.ca, home.secret("operator.token")]
    files += map(home.secret, names)
    secrets = home.data / "secrets"
    folders = {home.data / "journals", *map(home.spool, SPOOLS), *map(secrets.joinpath, KINDS)}
    for path in files:
        _check_place(home, path, path.is_file(), "file")
    for path in folders.union(*(one.parents for one in (*files, *folders))):
        if path.is_relative_to(home.data):
            _check_place(home, path, path.is_dir(), "folder")


def _check_place(home: Home, path: Path, is_one: bool, kind: str) -> None:
    if path.exists() and not is_one:
        raise BadValue(f"its {path.relative_to(home.path)} is no {kind}", "take another backup")
