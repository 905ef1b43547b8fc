"""Where a home keeps what each Engine holds: a file of its own, or its pool's; and how that moves.

For the CP Manager, while nobody runs the CPs that are named. A call that failed, or was killed, is
made again.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from evcs.adapters import heartbeat, journal_db
from evcs.adapters.files import is_locked, sync_folder
from evcs.adapters.journal import Journal
from evcs.adapters.journal_db import Damaged
from evcs.core import pools, supply
from evcs.core.ocpp import station_record
from evcs.home import Home

#: A pool that no CP is in.
NOWHERE = ""

_log = logging.getLogger("evcs")


def carry_over(home: Home, cps: Mapping[str, str | None]) -> None:
    """Before CPs are begun: what other places than their own hold of them goes there.

    `cps`: CP -> its pool, None for a file of its own. What is elsewhere is the truth: it is
    removed once the new place has it on the disk, and nobody begins there before. Raises
    OSError, and EvcsError for a file of a newer version.
    """
    arriving: dict[str | None, dict[str, str]] = defaultdict(dict)
    elsewhere = dict(_elsewhere(home, cps))
    for held in elsewhere.values():
        for cp, record in held.items():
            if record is not None:
                arriving[cps[cp]][cp] = record
    for pool, records in arriving.items():
        _put(home, pool, records)
    for pool, held in elsewhere.items():
        _drop(home, pool, held)
        _log.info("cps=%s: what they hold is where they are to run", ",".join(held))


def forget(home: Home, cps: Collection[str]) -> None:
    """Remove all that any place holds of CPs; what is absent is well. Raises as above."""
    for pool, held in _elsewhere(home, dict.fromkeys(cps, NOWHERE)):
        _drop(home, pool, held)


def unsettled(home: Home, cps: Collection[str]) -> set[str]:
    """Those of which any place holds a charge that is not settled; nobody runs them now."""
    return {
        cp
        for _, held in _elsewhere(home, dict.fromkeys(cps, NOWHERE))
        for cp, record in held.items()
        if record is not None and _is_open(json.loads(record))
    }


def _is_open(record: dict[str, Any]) -> bool:
    """Of a charger of a back end all that waits for that counts, too."""
    if "station" in record:
        return bool(record["charges"]["transactions"] or record["station"].get("queue"))
    return record["session_id"] is not None


def in_pools(home: Home) -> dict[str, Path]:
    """The file of each pool that has one."""
    names = (name.removesuffix(".db") for name in _names(home) if name.endswith(".db"))
    return {unit: home.pool_journal(unit) for unit in sorted(filter(pools.is_shared, names))}


def _elsewhere(
    home: Home, cps: Mapping[str, str | None]
) -> Iterator[tuple[str | None, dict[str, str | None]]]:
    """What each place holds of CPs that are not to be there; None where it is no record."""
    names = _names(home)
    moving = [cp for cp, pool in cps.items() if pool is not None]
    if files := [cp for cp in moving if home.journal(cp).name in names]:
        yield None, {cp: _of_file(home, cp) for cp in files}
    for unit, path in in_pools(home).items():
        try:
            records = journal_db.read(path, cps)
        except Damaged as damage:  # its pool sets it aside
            _log.error("%s is damaged (%s): what it held is lost", path, damage.strerror)
            continue
        if not records:
            _remove_unused(home, unit)
        if held := {cp: _checked(records[cp]) for cp in records if cps.get(cp, unit) != unit}:
            yield unit, held


def _of_file(home: Home, cp: str) -> str | None:
    with closing(Journal(home.journal(cp))) as journal:
        found = journal.last(_is_record)
    return None if found is None else json.dumps(found)


def _is_record(record: dict[str, Any]) -> bool:
    return supply.is_record(record) or station_record.is_record(record)


def _checked(record: str) -> str | None:
    found = journal_db.parsed(record)
    return record if found is not None and _is_record(found) else None


def _put(home: Home, pool: str | None, records: Mapping[str, str]) -> None:
    if pool is not None:
        with closing(journal_db.opened(home.pool_journal(pool), _log)) as db:
            db.put(records, sync=True)
        return
    for cp, record in records.items():
        heartbeat.beat()
        with closing(Journal(home.journal(cp))) as journal:
            journal.append(json.loads(record), sync=True)
    sync_folder(_folder(home))


def _drop(home: Home, pool: str | None, cps: Collection[str]) -> None:
    if pool is not None:
        with closing(journal_db.JournalDb(home.pool_journal(pool))) as db:
            db.delete(cps)
        _remove_unused(home, pool)
        return
    for cp in cps:
        home.journal(cp).unlink(missing_ok=True)
    sync_folder(_folder(home))


def _remove_unused(home: Home, pool: str) -> None:
    """Remove the file of a pool that holds nothing, unless its Engines are there."""
    path, engines = home.pool_journal(pool), pools.roles(pool)[0]
    if not is_locked(home.lock(f"{pool}.{engines}")) and not journal_db.read(path):
        journal_db.remove(path)


def _folder(home: Home) -> Path:
    return home.data / "journals"


def _names(home: Home) -> set[str]:
    try:
        return {path.name for path in _folder(home).iterdir()}
    except FileNotFoundError:
        return set()
