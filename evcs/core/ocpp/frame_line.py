"""A frame as one line for people: what kind, of which action, with which fields."""

from __future__ import annotations

import json
from typing import Any

from evcs.core.bus_line import flat

_KINDS = {2: "call", 3: "answer", 4: "error"}


def frame_line(text: str) -> str:
    """("call 17 StartTransaction connectorId=1 idTag=CARD"); what is no frame, as it is."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text if text.startswith("[") else f"no frame: {text}"  # it was too long, perhaps
    if not isinstance(found, list) or len(found) < 3 or found[0] not in (2, 3, 4):
        return f"no frame: {text}"
    kind, id_, *rest = found
    words = [_text(one) for one in rest]
    return " ".join([_KINDS[kind], str(id_), *(word for word in words if word)])


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return " ".join(f"{key}={text}" for key, text in flat(value).items())
