"""The doors of both HTTP interfaces: who may come in, from where and as whom.

Whoever may only look needs nothing on loopback; whoever changes something needs the
operator's bearer token, or, in web, the session that its token link made. Host, Origin and
what the browser says of who asks are checked on every request, so a foreign page can neither
read nor write through a browser (DNS rebinding, pages of other sites and of other ports).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bottle import Bottle, request

from evcs.core.errors import BadValue, Denied, EvcsError, Forbidden, NotFound, Unreachable
from evcs.services.http import (
    Refusals,
    bearer_token,
    error_response,
    plain_error,
    raw_header,
    token_matches,
)
from evcs.services.turns import Turns

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::([0-9]{1,5}))?")
HIGHEST_PORT = 65_535

Names = Callable[[], frozenset[str]]
Authorise = Callable[[], None]


def local_names() -> frozenset[str]:
    """What a server on loopback may be asked for as."""
    return LOCAL_NAMES


def check_source(names: Names) -> None:
    """Refuse a request that came for another name, or from a page that isn't ours."""
    host = raw_header("Host")
    found = _HOST.fullmatch(host)
    named = found is not None and (found[1] or found[2]).lower() in names()
    if found is None or not named or int(found[3] or 0) > HIGHEST_PORT:
        raise BadValue("wrong Host header", f"ask for one of: {', '.join(sorted(names()))}")
    origin = raw_header("Origin")
    if origin not in ("", f"http://{host}", f"https://{host}") or _asked_by_another_page():
        raise Forbidden("a page of another site may not ask this", "open the page itself")


def check_path() -> None:
    """Refuse a path that is no UTF-8: bottle leaves such bytes out, and finds another page."""
    try:
        request.environ["bottle.raw_path"].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise NotFound("no such page") from None


def _asked_by_another_page() -> bool:
    """Whether the browser says so; to lead here by a link is all that another page may."""
    link = (raw_header("Sec-Fetch-Mode"), raw_header("Sec-Fetch-Dest")) == ("navigate", "document")
    ours = raw_header("Sec-Fetch-Site") in ("", "same-origin", "none")
    return not ours and not (link and request.method in SAFE)


def install(
    app: Bottle,
    authorise: Authorise,
    is_known: Callable[[], bool],
    names: Names,
    authorise_reading: Authorise | None,
) -> None:
    """Put the doors before every route of `app`.

    `authorise` raises for a change that it refuses, `authorise_reading` (None: all may read)
    for a look; `names` are the hosts that the server answers for. Who is not known waits for
    his turn.
    """
    turns = Turns()

    def in_turn() -> None:
        if not is_known():
            try:
                turns.wait()
            except Unreachable as error:
                raise error_response(error) from None

    def doors(callback: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                check_source(names)
                check_path()
                if request.method not in SAFE:
                    authorise()
                elif authorise_reading is not None:
                    authorise_reading()
                return callback(*args, **kwargs)
            except EvcsError as error:
                return error_response(error)

        return guarded

    app.add_hook("before_request", in_turn)
    app.install(doors)
    app.default_error_handler = plain_error


def bearer_only(token: Callable[[], str], refusals: Refusals) -> Authorise:
    """An `authorise` that takes the operator's bearer token alone."""

    def authorise() -> None:
        given = bearer_token()
        if given is None:
            raise Denied("a token is needed", "send Authorization: Bearer, from operator.token")
        if not token_matches(given, token()):
            refusals.refuse("a token")
            raise Denied("the token is wrong", "it is in data/secrets/operator.token")

    return authorise
