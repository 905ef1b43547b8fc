"""JSON as every edge takes it: no NaN or Infinity, no endless nesting, no half characters."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """What came is not JSON that we take."""


def parse(raw: bytes) -> Any:
    """The value in `raw`, which is UTF-8. Raises NotJson."""
    try:
        found = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        if b"\\u" in raw:
            # A lone surrogate could be read, but never be written again.
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except (ValueError, RecursionError) as error:
        raise NotJson(f"not JSON: {type(error).__name__}") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)
