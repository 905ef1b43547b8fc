"""conf/evcs.toml, by itself: which settings it may have, and what it says of them.

CP processes import it, so tomllib is imported only where there is a file to read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evcs.core.errors import BadValue, Denied

#: Of conf/evcs.toml. tomllib's time grows with the square of a key's parts.
MAX_BYTES = 16 * 1024
#: Those that conf/evcs.toml has in tables: [mqtt] listen is mqtt_listen.
_TABLES = {
    "keep": ("sessions_days", "audit_days", "readings_days"),
    "mqtt": ("listen", "tls_port", "tls"),
    "http": ("listen", "tls", "name"),
    "ocpp": ("listen", "plain", "keep_interrupted_h"),
    "hosts": ("keep_interrupted_s",),
}
_IN_TABLES = frozenset(f"{table}_{name}" for table, names in _TABLES.items() for name in names)
#: As files had them before there was a table.
_FLAT_TOO = frozenset({"keep_sessions_days", "keep_audit_days"})


def shown(name: str) -> str:
    """A setting as conf/evcs.toml has it: mqtt_listen is mqtt.listen there."""
    return name.replace("_", ".", 1) if name in _IN_TABLES else name


def _text(path: Path) -> str:
    """Raises OSError, ValueError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("it is no file")  # to read a pipe is to wait
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"it is longer than {MAX_BYTES >> 10} KiB")
    return raw.decode()


def read(path: Path, settings: Sequence[str]) -> dict[str, Any]:
    """What it says of these, which may be in tables: [mqtt] listen is mqtt_listen.

    None may be missing. Raises BadValue, Denied.
    """
    try:
        text = _text(path)
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise Denied(f"{path} can't be read by this user", "run this as its owner") from None
    except (OSError, ValueError) as error:
        raise BadValue(f"{path} can't be read: {error}", "correct the file or remove it") from None
    import tomllib

    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"{path}: {error}", "correct the file or remove it") from None
    return _flat(path, found, settings)


def _flat(path: Path, found: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    known = [name for name in settings if name not in _IN_TABLES]
    flat: dict[str, Any] = {}
    for name, value in found.items():
        if name in known or name in _FLAT_TOO:
            flat[name] = value
        elif name not in _TABLES or not isinstance(value, dict):
            raise BadValue(
                f"{path}: unknown setting {name!r}",
                f"known: {', '.join([*known, *(f'[{table}]' for table in _TABLES)])}",
            )
        else:
            for key in value:
                if key not in _TABLES[name]:
                    raise BadValue(
                        f"{path}: unknown setting {key!r} in [{name}]",
                        f"known: {', '.join(_TABLES[name])}",
                    )
            flat.update({f"{name}_{key}": one for key, one in value.items()})
    return flat
