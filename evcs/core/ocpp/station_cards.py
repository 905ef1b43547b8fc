"""Whether a card may charge, as far as an emulated station knows: OCPP 1.6, 3.5 and 4.1; 2.0.1,
C09, C10, C12 and C15."""

from __future__ import annotations

from evcs.core.ocpp.station_settings import Configuration
from evcs.core.ocpp.station_state import StationState
from evcs.core.ocpp.station_tokens import Card, Token
from evcs.core.ocpp.times import parse

ACCEPTED, EXPIRED = "Accepted", "Expired"
#: Nobody knows, since the back end is away.
OFFLINE = "Offline"


def listed(held: StationState, keys: Configuration, token: Token) -> Card | None:
    """What the back end's list says of a card."""
    enabled = bool(held.local.cards) and keys.is_set("LocalAuthListEnabled")
    return held.local.card(token) if enabled else None


def known(held: StationState, keys: Configuration, token: Token, now: str) -> Card | None:
    """What is known of a card: by the list before the cache (1.6, 3.5.3). `now`: RFC 3339."""
    card = listed(held, keys, token)
    if card is not None:
        ends, then = parse(card.expires_at), parse(now)
        over = ends is not None and then is not None and ends <= then
        return card._replace(status=EXPIRED) if over and card.status == ACCEPTED else card
    return held.card(token, now) if keys.is_set("AuthorizationCacheEnabled") else None


def decided_here(
    held: StationState, keys: Configuration, token: Token, now: str, online: bool
) -> str | None:
    """The word for a card; None where the back end is to be asked. `now`: RFC 3339."""
    card = known(held, keys, token, now)
    if online:
        good = card is not None and card.status == ACCEPTED
        return ACCEPTED if good and keys.is_set("LocalPreAuthorize") else None
    bad = card is not None and card.status != ACCEPTED and listed(held, keys, token)
    if card is not None and (bad or keys.is_set("LocalAuthorizeOffline")):
        return card.status
    return ACCEPTED if keys.is_set("AllowOfflineTxForUnknownId") else OFFLINE


def is_same(held: StationState, keys: Configuration, token: Token, other: Token, now: str) -> bool:
    """Whether a card may end what another began: it is that one, or of its group."""
    if token.is_same(other):
        return True
    ours, theirs = known(held, keys, token, now), known(held, keys, other, now)
    return ours is not None and theirs is not None and ours.parent == theirs.parent != ""


def kept(held: StationState, keys: Configuration, card: Card) -> StationState:
    """With what the back end says of a card; of one in its list the cache has nothing."""
    cached = keys.is_set("AuthorizationCacheEnabled") and listed(held, keys, card.token) is None
    return held.with_card(card) if cached else held
