"""A home's Registry store changed by hand, with its checksum right: what a forger would do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evcs.adapters.registry_db import NAMED_SINCE
from evcs.core.stored import FORMAT

Tables = dict[str, dict[str, Any]]


def tables(home: Path) -> Tables:
    """What the store holds."""
    found: Tables = json.loads((home / "data" / "registry.json").read_bytes())["tables"]
    return found


def forged(content: Tables, kept_format: int = 1) -> bytes:
    """A store's file with that content, as the Registry would write it."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    named = f"{kept_format}{text}" if kept_format >= NAMED_SINCE else text
    digest = hashlib.sha256(named.encode()).hexdigest()
    return f'{{"format":{kept_format},"sha256":"{digest}","tables":{text}}}\n'.encode()


def change(home: Path, how: Callable[[Tables], object], kept_format: int = 1) -> None:
    """Change file and copy alike."""
    content = tables(home)
    how(content)
    for name in ("registry.json", "registry.copy.json"):
        (home / "data" / name).write_bytes(forged(content, kept_format))


def add_cp(content: Tables, cp: str, **fields: Any) -> None:
    """A CP like the first, but for some fields."""
    first = next(iter(content["cps"].values()))
    content["cps"][str(max(map(int, content["cps"])) + 1)] = {**first, "id": cp, **fields}


def put_into_pool(home: Path, number: int, cps: set[str]) -> None:
    """Have pooled CPs in another pool, as in a fleet that was larger once."""

    def put(content: Tables) -> None:
        for record in content["cps"].values():
            if record["id"] in cps:
                record["pool"] = number

    change(home, put, FORMAT)
