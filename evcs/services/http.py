"""What both HTTP interfaces share: how requests are read, how answers look, who has the token."""

from __future__ import annotations

import hmac
import json
import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

from bottle import HTTPResponse, request, response

from evcs.core import audit, strict_json
from evcs.core.audit import VARIOUS
from evcs.core.errors import BadValue, EvcsError, Unreachable
from evcs.core.ids import is_id
from evcs.core.ports import AuditSpool

#: Of a list that is asked for in parts.
MAX_LIMIT = 100_000
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)

_log = logging.getLogger("evcs")


def json_bytes(value: Any) -> bytes:
    """The body of a JSON answer."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_response(value: Any, status: int = 200) -> HTTPResponse:
    """A JSON answer; bytes are taken as they are."""
    body = value if isinstance(value, bytes) else json_bytes(value)
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return HTTPResponse(body, status, headers)


def list_response(rows: Mapping[str, bytes]) -> HTTPResponse:
    """A list of these, each in JSON by its id: all in order, or the part that is asked for.

    `?limit` has so many, `?after` those behind an id, which need not be there any more. Raises
    BadValue. `Link` says where the next part is.
    """
    limit, after = asked_limit(0), request.query.get("after")
    if after and not is_id(after):
        raise BadValue("after is not an id", "give the last one of the part before")
    ids = list(rows)
    first = bisect_right(ids, after or "")
    part = ids[first : first + limit] if limit else ids[first:]
    found = json_response(b"[%b]" % b",".join(rows[one] for one in part))
    if part and part[-1] != ids[-1]:
        url = f"{request.path}?limit={limit}&after={part[-1]}"
        found.set_header("Link", f'<{url}>; rel="next"')
    return found


def asked_limit(default: int) -> int:
    """How many of a list the request's query asks for. Raises BadValue."""
    given = request.query.get("limit")
    if not given:
        return default
    limit = int(given) if _NUMBER.fullmatch(given) else 0
    if not 1 <= limit <= MAX_LIMIT:
        raise BadValue("limit is not allowed", f"a whole number from 1 to {MAX_LIMIT}")
    return limit


def error_response(error: EvcsError) -> HTTPResponse:
    """An error as the contract has it: code and message, the next step with it."""
    found = json_response({"error": error_json(error)}, error.http_status)
    if found.status_code == 503:
        found.set_header("Retry-After", "1")
    return found


def error_json(error: EvcsError) -> dict[str, str]:
    """An error's code and message, the next step with it."""
    return {"code": error.code, "message": error.line}


def body_json() -> Any:
    """The request's body as JSON, read by this. Raises BadValue, Unreachable."""
    if request.content_type.partition(";")[0].strip() != "application/json":
        raise BadValue("the body is not JSON", "send Content-Type: application/json")
    try:
        # Not bottle's own look: it would copy a large body into a file.
        return strict_json.parse(request.environ["wsgi.input"].read(), unique=True)
    except strict_json.NotJson as error:
        raise BadValue(str(error), "send one JSON value in UTF-8") from None


def raw_header(name: str) -> str:
    """A header as it came, each byte a character; "" without one."""
    # bottle's own look fails on what is not UTF-8.
    return str(request.environ.get("HTTP_" + name.upper().replace("-", "_"), ""))


def cookie(name: str) -> str:
    """A cookie's value as it came; "" without one.

    None of ours is quoted. To read such a value takes Python's http.cookies the square of its
    length (CVE-2024-7592), before it is known who sends it.
    """
    for one in raw_header("Cookie").split(";"):
        found, _, value = one.strip().partition("=")
        if found == name:
            return value
    return ""


def bearer_token() -> str | None:
    """The token of an Authorization: Bearer header."""
    scheme, _, token = raw_header("Authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_matches(given: str | None, wanted: str) -> bool:
    """Whether a token is the wanted one, in constant time; one that is empty is nobody's."""
    return (
        bool(wanted) and given is not None and hmac.compare_digest(given.encode(), wanted.encode())
    )


def shows(token: Callable[[], str]) -> bool:
    """Whether the request has that token."""
    given = bearer_token()
    try:
        return given is not None and token_matches(given, token())
    except EvcsError:
        return False


def caller() -> str:
    """Where the request came from: address and port."""
    return f"{request.environ['REMOTE_ADDR']}:{request.environ['REMOTE_PORT']}"


def address() -> str:
    """The same without the port."""
    return str(request.environ.get("REMOTE_ADDR", ""))


def who() -> str:
    """Who asks with the operator's token, as the audit has it."""
    return audit.operator(raw_header(audit.WHO_HEADER), address())


class Pause:
    """Slows wrong tokens down, one after the other; whoever has the right one never waits."""

    def __init__(self, each_s: float, longest_s: float) -> None:
        self._each_s = each_s
        self._longest_s = longest_s
        self._free_at = 0.0
        self._turned_away = 0

    def after_failure(self, now: float) -> float:
        """Seconds to wait before the refusal is told. Raises Unreachable where too many wait."""
        wait = max(self._free_at - now, 0.0) + self._each_s
        if wait > self._longest_s:
            self._turned_away += 1
            raise Unreachable("too many wrong tokens", "wait a few seconds")
        self._free_at = now + wait
        return wait

    def turned_away(self) -> int:
        """How many didn't get to wait since the last call."""
        count, self._turned_away = self._turned_away, 0
        return count


class Refusals:
    """Wrong tokens and links: told to the audit, then slowed down.

    A flood is told as a few and a number: only while some wait others are turned away, and
    who has waited tells how many.
    """

    def __init__(
        self, spool: AuditSpool, clock: Callable[[], float], sleep: Callable[[float], None],
        pause: Pause,
    ) -> None:  # fmt: skip
        self._spool, self._clock, self._sleep, self._pause = spool, clock, sleep, pause

    def refuse(self, given: str) -> None:
        """Returns when it is time to answer. Raises Unreachable where too many wait."""
        wait = self._pause.after_failure(self._clock())
        # The route, not the path: that may hold what was tried.
        asked = f"{given} for {request.method} {request.route.rule}"
        self._spool.tell(caller(), "login", "refused", asked)
        self._sleep(wait)
        if more := self._pause.turned_away():
            self._spool.tell(VARIOUS, "login", "refused", f"and {more} more")


def plain_error(error: Any) -> str:
    """The body of an error that bottle itself has found, as the contract has it."""
    if error.status_code >= 500:
        _log.error("path=%r failed: %r", request.path[:200], error.exception)
    response.content_type = "application/json"
    words = {404: "not_found", 405: "not_allowed", 413: "too_large"}
    code = words.get(error.status_code, "bad_value" if error.status_code < 500 else "failed")
    text = {404: "no such page", 405: "not that method here"}.get(error.status_code)
    message = text or (
        "an internal error; see the log" if error.status_code >= 500 else "bad request"
    )
    return json.dumps({"error": {"code": code, "message": message}})
