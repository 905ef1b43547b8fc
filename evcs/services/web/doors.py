"""Who may change something in web: the bearer token, or the session that its link made.

A session is nothing that is kept: its cookie is signed with the operator's token, so it
outlives a restart of web and ends with the token, or after half a day.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable

from bottle import request

from evcs.adapters.http_server import Pause, bearer_token, token_matches
from evcs.core.errors import Denied, EvcsError, Forbidden

LINK_S = 60.0
MAX_LINKS = 100
SESSION_S = 12 * 3600
CSRF_HEADER = "X-CSRF-Token"
_LOCAL_PATH = re.compile(r"/(?:[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)?")


_log = logging.getLogger("evcs")


def local_path(wanted: str | None) -> str:
    """Where to go after a login: a path of ours, else the dashboard."""
    return wanted if wanted and _LOCAL_PATH.fullmatch(wanted) else "/"


class Doors:
    """Links, sessions and what they allow. `clock` is monotonic, `wall` seconds of the epoch."""

    def __init__(
        self,
        token: Callable[[], str],
        port: int,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        # Cookies know no port: another system on this machine has a name of its own.
        self.cookie_name = f"evcs_operator_{port}"
        self._token = token
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._pause = Pause()
        self._links: dict[str, float] = {}

    def new_link(self) -> str:
        """A token that opens one session within a minute."""
        now = self._clock()
        self._links = {token: end for token, end in self._links.items() if end > now}
        if len(self._links) >= MAX_LINKS:
            self._links.pop(next(iter(self._links)))
        token = secrets.token_urlsafe(32)
        self._links[token] = now + LINK_S
        return token

    def enter(self, link: str) -> str:
        """The cookie that a link gives, once. Raises Denied."""
        end = self._links.pop(link, None)
        if end is None or end <= self._clock():
            self._slow_down()
            raise Denied("this link is used up or too old", "get a new one: evcs open")
        _log.info("an operator's session begins")
        expires = str(int(self._wall()) + SESSION_S)
        return f"{expires}.{self._sign('session', expires)}"

    def cookie(self) -> str | None:
        """The request's session, where it is a valid one."""
        found: str = request.get_cookie(self.cookie_name) or ""
        expires, _, signature = found.partition(".")
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            return None
        try:
            wanted = self._sign("session", expires)
        except EvcsError:
            return None
        good = hmac.compare_digest(signature.encode(), wanted.encode())
        return found if good and int(expires) > self._wall() else None

    def csrf(self, cookie: str) -> str:
        """The token that a page of that session sends with each change."""
        return self._sign("csrf", cookie)

    def authorise(self) -> None:
        """Let the request change something. Raises Denied, Forbidden."""
        given = bearer_token()
        if given is not None:
            if not token_matches(given, self._token()):
                self._slow_down()
                raise Denied("the token is wrong", "it is in data/secrets/operator.token")
            return
        cookie = self.cookie()
        if cookie is None:
            raise Denied("only the operator may change something", "run: evcs open")
        if not token_matches(request.get_header(CSRF_HEADER), self.csrf(cookie)):
            raise Forbidden("the page's token is missing", "reload the page")

    def bearer_only(self) -> None:
        """Let only the token in, for what makes new sessions."""
        if bearer_token() is None:
            raise Forbidden("the operator's token is needed", "run: evcs open")

    def _slow_down(self) -> None:
        seconds = self._pause.after_failure(self._clock())
        _log.warning("a wrong token or link was refused; who has it not may look only")
        self._sleep(seconds)

    def _sign(self, kind: str, text: str) -> str:
        key = self._token().encode()
        return hmac.new(key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()
