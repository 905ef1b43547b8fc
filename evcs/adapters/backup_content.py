"""Whether what a backup holds is a home's: each file by the rules that its reader will go by.

What no reader looks for is harmless, since nothing takes a path from a file's content.
"""

from __future__ import annotations

from pathlib import Path

from evcs import config
from evcs.adapters import backup_copies, registry_db
from evcs.adapters.ledger import Ledger
from evcs.core.errors import BadValue, EvcsError
from evcs.home import Home


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
        if home.ledger_db.exists():
            ledger = Ledger(home.ledger_db)
            ledger.open_sessions()
            ledger.close()
    except BadValue:
        raise
    except EvcsError as error:
        text = error.message.replace(f"{stage}/", "its ")
        raise BadValue(text, error.hint or "take another backup") from None
    config.check_file(stage / backup_copies.SETTINGS)
