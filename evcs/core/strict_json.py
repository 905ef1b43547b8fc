"""JSON as every edge of the system takes it: no NaN, no Infinity, no endless nesting."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """What came is not JSON that we take."""


def parse(raw: bytes) -> Any:
    """The value in `raw`, which is UTF-8. Raises NotJson."""
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"not JSON: {type(error).__name__}") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)
