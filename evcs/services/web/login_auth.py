"""Who may change something in web: the bearer token, or a session that its link began.

A cookie holds a session's id alone, 256 random bits. The server keeps the sessions, each by a
hash that is keyed with the operator's token: what is on disk opens nothing, and another token
ends every session.

A browser sends a cookie to every port of this machine, so whoever listens on one may have it. It
lets its holder look, no more. A change needs the page's token besides: the page gets it once, in
the answer to its link, and keeps it where only pages of its own origin, port included, can read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from bottle import HTTPResponse, request

from evcs.core.errors import Denied, EvcsError, Forbidden
from evcs.core.ports import AuditSpool
from evcs.core.web_ports import SignedIn
from evcs.services.http import (
    Pause,
    Refusals,
    bearer_token,
    caller,
    cookie,
    raw_header,
    shows,
    token_matches,
)

LINK_S = 60.0
MAX_LINKS = 100
SESSION_S = 12 * 3600
MAX_SESSIONS = 100
CSRF_HEADER = "X-CSRF-Token"
# What shows nothing of the system, and the way in.
FOR_ALL = ("/login/", "/static/", "/healthz", "/favicon.ico")
_LOCAL_PATH = re.compile(r"/(?:[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*)?")


def local_path(wanted: str | None) -> str:
    """Where to go after a login: a path of ours, else the dashboard."""
    return wanted if wanted and _LOCAL_PATH.fullmatch(wanted) else "/"


class LoginAuth:
    """Links, sessions and what they allow. `clock` is monotonic, `wall` seconds of the epoch.

    `secure` keeps the cookie to HTTPS.
    """

    def __init__(
        self,
        token: Callable[[], str],
        port: int,
        sessions: SignedIn,
        spool: AuditSpool,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], None],
        secure: bool = False,
    ) -> None:
        # Cookies know no port: another system on this machine has a name of its own.
        self._cookie_name = f"evcs_operator_{port}"
        self._token = token
        self._clock = clock
        self._wall = wall
        self._secure = secure
        self._spool = spool
        self._refusals = Refusals(spool, clock, sleep, Pause(0.5, 5.0))
        self._links: dict[str, float] = {}
        self._file = sessions
        self._sessions = sessions.read()

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
        """Begin a session, its id; a link does so once. Raises Denied."""
        end = self._links.pop(link, None)
        if end is None or end <= self._clock():
            self._refusals.refuse("a link")
            raise Denied("this link is used up or too old", "get a new one: evcs open")
        session, now = secrets.token_urlsafe(32), self._wall()
        kept = [(key, end) for key, end in self._sessions.items() if end > now]
        self._sessions = dict(kept[-(MAX_SESSIONS - 1) :])
        self._sessions[self._hash("session", session)] = int(now) + SESSION_S
        self._file.write(self._sessions)
        self._spool.tell(caller(), "login", "ok", "a link")
        return session

    def set_cookie(self, session: str, answer: HTTPResponse) -> None:
        """Have the browser send the session's id from now on."""
        answer.set_cookie(
            self._cookie_name, session, path="/", httponly=True, samesite="strict",
            secure=self._secure,
        )  # fmt: skip

    def leave(self, answer: HTTPResponse) -> None:
        """End the request's session, wherever its cookie is."""
        session = self.session()
        if session is not None:
            del self._sessions[self._hash("session", session)]
            self._file.write(self._sessions)
            self._spool.tell(caller(), "logout", "ok", "the page")
        answer.delete_cookie(self._cookie_name, path="/")

    def session(self) -> str | None:
        """The id of the request's session, where it is one that goes on."""
        found = cookie(self._cookie_name)
        return found if found and self._goes_on(found) else None

    def _goes_on(self, session: str) -> bool:
        try:
            return self._sessions.get(self._hash("session", session), 0) > self._wall()
        except EvcsError:
            return False

    def csrf(self, session: str) -> str:
        """The token that a page of that session sends with each change."""
        return self._hash("csrf", session)

    def is_page(self) -> bool:
        """Whether the request has both: a session's cookie, and that session's page token."""
        return self._is_page(raw_header(CSRF_HEADER))

    def sees_all(self) -> bool:
        """Whether the request may see what one can charge with: the token, or a page of ours.

        The cookie alone goes to each port of this machine. For a stream a browser sends no header:
        it has the page's token in its query.
        """
        given = raw_header(CSRF_HEADER) or request.query.get("page_token", "")
        return shows(self._token) or self._is_page(given)

    def _is_page(self, given: str) -> bool:
        session = self.session()
        return session is not None and token_matches(given, self.csrf(session))

    def is_operator(self) -> bool:
        """Whether the request shows the token, a session, or a link that opens one."""
        link = request.path.removeprefix("/login/")
        return shows(self._token) or self.session() is not None or link in self._links

    def authorise(self) -> None:
        """Let the request change something. Raises Denied, Forbidden."""
        if self._has_token() or self.is_page():
            return
        if self.session() is None:
            raise Denied("only the operator may change something", "run: evcs open")
        raise Forbidden("the page's token is missing", "sign in again: evcs open")

    def authorise_reading(self) -> None:
        """Let the request look, where only the operator may. Raises Denied."""
        if request.path.startswith(FOR_ALL) or self._has_token() or self.session() is not None:
            return
        raise Denied("only the operator may look", "run on that machine: evcs open")

    def authorise_seeing(self) -> None:
        """Let the request see what is the operator's alone. Raises Denied."""
        if not (self._has_token() or self.is_page()):
            raise Denied("only the operator may see that", "run on that machine: evcs open")

    def as_long_as_allowed(self) -> Callable[[], bool]:
        """To be asked later: whether who looks now still may."""
        given, session = bearer_token(), self.session()
        if given is not None:
            return lambda: token_matches(given, self._token())
        return lambda: session is not None and self._goes_on(session)

    def bearer_only(self) -> None:
        """Let only the token in, for what makes new sessions."""
        if bearer_token() is None:
            raise Forbidden("the operator's token is needed", "run: evcs open")

    def _has_token(self) -> bool:
        """Whether the request has the operator's token. Raises Denied for a wrong one."""
        given = bearer_token()
        if given is not None and not token_matches(given, self._token()):
            self._refusals.refuse("a token")
            raise Denied("the token is wrong", "it is in data/secrets/operator.token")
        return given is not None

    def _hash(self, kind: str, text: str) -> str:
        key = self._token().encode()
        return hmac.new(key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()
