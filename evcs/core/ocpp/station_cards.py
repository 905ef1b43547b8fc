"""Whether a card may charge, as far as an emulated station knows: OCPP 1.6, 3.5 and 4.1; 2.0.1,
C09, C10, C12 and C15."""

from __future__ import annotations

from evcs.core.ocpp.station_settings import Settings
from evcs.core.ocpp.station_state import Card, Held, Token

ACCEPTED = "Accepted"
#: Nobody knows, since the back end is away.
OFFLINE = "Offline"


def decided_here(held: Held, keys: Settings, token: Token, now: str, online: bool) -> str | None:
    """The word for a card; None where the back end is to be asked. `now`: RFC 3339."""
    cached = held.card(token, now) if keys.is_set("AuthorizationCacheEnabled") else None
    if online:
        good = cached is not None and cached.status == ACCEPTED
        return ACCEPTED if good and keys.is_set("LocalPreAuthorize") else None
    if cached is not None and keys.is_set("LocalAuthorizeOffline"):
        return cached.status
    return ACCEPTED if keys.is_set("AllowOfflineTxForUnknownId") else OFFLINE


def is_same(held: Held, token: Token, other: Token, now: str) -> bool:
    """Whether a card may end what another began: it is that one, or of its group."""
    if token.is_same(other):
        return True
    ours, theirs = held.card(token, now), held.card(other, now)
    return ours is not None and theirs is not None and ours.parent == theirs.parent != ""


def kept(held: Held, keys: Settings, card: Card) -> Held:
    """With what the back end says of a card."""
    return held.with_card(card) if keys.is_set("AuthorizationCacheEnabled") else held
