"""JSON as every edge takes it: no NaN or Infinity, no endless nesting, no half characters."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """What came is not JSON that we take."""


def parse(raw: bytes, unique: bool = False) -> Any:
    """The value in `raw`, which is UTF-8; with `unique`, no key twice. Raises NotJson."""
    try:
        found = (_UNIQUE if unique else _ANY).decode(raw.decode())
        if b"\\u" in raw:
            # A lone surrogate could be read, but never be written again.
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise NotJson(f"not JSON: {type(error).__name__}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    """1e400 is a number to the grammar and Infinity to us."""
    value = float(digits)
    if value - value != 0:
        raise ValueError(digits)
    return value


# json.loads makes a decoder at each call, which costs as much as what it then decodes.
_ANY = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_UNIQUE = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
)
