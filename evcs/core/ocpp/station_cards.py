"""Whether a card may charge, as far as an emulated station knows: OCPP 1.6, 3.5 and 4.1."""

from __future__ import annotations

from typing import Any

from evcs.core.ocpp.station_keys import Keys
from evcs.core.ocpp.station_state import Card, Held

ACCEPTED = "Accepted"
#: Nobody knows, since the back end is away.
OFFLINE = "Offline"


def decided_here(held: Held, keys: Keys, tag: str, now: str, online: bool) -> str | None:
    """The word for a card; None where the back end is to be asked. `now`: RFC 3339."""
    cached = held.card(tag, now) if keys.is_set("AuthorizationCacheEnabled") else None
    if online:
        good = cached is not None and cached.status == ACCEPTED
        return ACCEPTED if good and keys.is_set("LocalPreAuthorize") else None
    if cached is not None and keys.is_set("LocalAuthorizeOffline"):
        return cached.status
    return ACCEPTED if keys.is_set("AllowOfflineTxForUnknownId") else OFFLINE


def is_same(held: Held, tag: str, other: str, now: str) -> bool:
    """Whether a card may end what another began: it is that one, or of its group."""
    if tag.casefold() == other.casefold():
        return True
    ours, theirs = held.card(tag, now), held.card(other, now)
    return ours is not None and theirs is not None and ours.parent == theirs.parent != ""


def kept(held: Held, keys: Keys, tag: object, info: dict[str, Any]) -> Held:
    """With what an `idTagInfo` says of a card."""
    if not isinstance(tag, str) or not keys.is_set("AuthorizationCacheEnabled"):
        return held
    return held.with_card(
        Card(tag, info["status"], info.get("expiryDate", ""), info.get("parentIdTag", ""))
    )
