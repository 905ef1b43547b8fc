"""Sessions over HTTP, from the ledger: JSON, CSV and sums by the same query."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import chain
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs.core import session_csv
from evcs.core.errors import BadValue, NotFound
from evcs.core.ids import check_id
from evcs.core.readings import EVERY_S, columns, second_of
from evcs.core.session import STATES, Session, in_full
from evcs.core.web_ports import SessionFilter, Sum, Sums
from evcs.services.http import MAX_LIMIT, address, asked_limit, json_bytes, json_response
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps

DEFAULT_LIMIT = 1_000
PART = 200
#: What a date is given, that means a whole day.
FROM_MIDNIGHT, TO_MIDNIGHT = "T00:00:00.000Z", "T23:59:59.999Z"
KEPT_SUMS = 32
MOST_COURSES = 100
#: The reading of an end is written with the ticket, a moment later.
END_S = 2
LIST = "list them with: evcs sessions"
_PART = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?", re.ASCII)


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/api/v1/sessions` and `.csv`, `…/sums`, `…/total`, `…/<id>/…`."""
    _add_lists(app, deps)
    _add_one(app, deps)


def _add_lists(app: Bottle, deps: Deps) -> None:

    @app.get("/api/v1/sessions")
    def sessions() -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return HTTPResponse(in_parts(deps, DEFAULT_LIMIT, as_json), 200, headers)

    @app.get("/api/v1/sessions.csv")
    def sessions_csv() -> HTTPResponse:
        headers = {
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": 'attachment; filename="sessions.csv"',
            "Cache-Control": "no-store",
        }
        return HTTPResponse(in_parts(deps, MAX_LIMIT, as_csv), 200, headers)

    @lru_cache(KEPT_SUMS)
    def summed(
        _is_operator: bool, told: Callable[[Sums], dict[str, Any]], *asked: tuple[str, Any]
    ) -> Kept[bytes]:
        """Apart for the operator, who waits for nobody else's."""
        read = partial(deps.ledger.sums, **dict(asked))
        return Kept(lambda: json_bytes(told(deps.threads().run(read))))

    @app.get("/api/v1/sessions/sums")
    def sums() -> HTTPResponse:
        kept = summed(deps.doors.is_operator(), by_day_and_cp, *asked_for().items())
        return json_response(kept())

    @app.get("/api/v1/sessions/total")
    def total() -> HTTPResponse:
        return json_response(summed(deps.doors.is_operator(), in_all, *asked_for().items())())


def _add_one(app: Bottle, deps: Deps) -> None:
    @app.get("/api/v1/sessions/<session>/detail")
    def detail(session: str) -> HTTPResponse:
        found = deps.threads().run(partial(deps.ledger.session, checked_id(session)))
        if found is None:
            raise NotFound(f"no session {session!a}", LIST)
        return json_response({"session": in_full(found), "curve": _curve(deps, found)})

    @app.get("/api/v1/sessions/courses")
    def courses() -> HTTPResponse:
        ids = (request.query.get("ids") or "").split(",")
        if len(ids) > MOST_COURSES:
            raise BadValue("too many ids", f"at most {MOST_COURSES}")
        return json_response(deps.web.history.curves.courses(map(checked_id, ids)))

    @app.post("/api/v1/sessions/<session>/end")
    def end(session: str) -> HTTPResponse:
        return json_response(deps.web.ask("end", session_id=checked_id(session), by=address()))

    @app.post("/api/v1/sessions/<session>/close")
    def close(session: str) -> HTTPResponse:
        return json_response(deps.web.ask("close", session_id=checked_id(session), by=address()))


def _curve(deps: Deps, session: Session) -> dict[str, list[int]]:
    """What web heard of it, and before that what the ledger keeps."""
    heard = deps.web.history.curves.of(session.session_id)
    begin = second_of(session.started_at)
    end = second_of(session.ended_at) + END_S if session.ended_at else int(time.time())
    until = heard["at"][0] if heard["at"] else end
    if heard["at"] and until - begin <= EVERY_S:
        return heard
    kept = deps.threads().run(lambda: deps.ledger.readings(session.cp, begin, until))
    before = columns(one for one in kept if one.at >= begin)
    return {name: before[name] + heard[name] for name in heard}


def checked_id(session: str) -> str:
    """A session's id, if it can be one. Raises BadValue."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", session):
        raise BadValue("that is no session's id", LIST)
    return session


def as_json(sessions: list[dict[str, Any]], first: bool, last: bool) -> bytes:
    """Part of a list."""
    text = ",".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in sessions)
    begin = "[" if first else "," if sessions else ""
    return f"{begin}{text}{']' if last else ''}".encode()


def as_csv(sessions: list[dict[str, Any]], first: bool, _last: bool) -> bytes:
    """Part of a table."""
    return session_csv.render(sessions, first, "\r\n").encode()


def in_parts(
    deps: Deps, limit: int, encode: Callable[[list[dict[str, Any]], bool, bool], bytes]
) -> Iterator[bytes]:
    """The sessions that the request's query names. Raises BadValue.

    Read as they are sent, some at a time: who reads slowly has few of them held for it.
    """
    asked, limit = asked_for(), asked_limit(limit)
    threads = deps.threads()

    def read() -> Iterator[bytes]:
        left, after = limit, None
        while left > 0:
            count = min(left, PART)
            read_on = partial(deps.ledger.sessions, limit=count, after=after, **asked)
            part = threads.run(read_on, goes_on=after is not None)
            found = sum("corrects" not in one for one in part)
            last = found < count or left == count
            body = encode(part, after is None, last)
            left = 0 if last else left - found
            after = (part[-1]["started_at"], part[-1]["session_id"]) if part else None
            del part  # not held while the body is sent
            yield body

    parts = read()
    # What the ledger can't tell is an error before anything has been sent.
    return chain([next(parts)], parts)


def asked_for() -> SessionFilter:
    """What the request's query names. Raises BadValue."""
    given = request.query
    state = given.get("state") or None
    if state is not None and state not in STATES:
        raise BadValue("state is not allowed", f"one of {', '.join(STATES)}")
    return SessionFilter(
        cp=check_id("CP", given["cp"]) if given.get("cp") else None,
        driver=check_id("driver", given["driver"]) if given.get("driver") else None,
        since=asked_time("since", FROM_MIDNIGHT),
        state=state,
        # A whole day is meant by its date.
        until=asked_time("until", TO_MIDNIGHT),
        cp_part=_part("cp_part"),
        driver_part=_part("driver_part"),
    )


def _part(name: str) -> str | None:
    """A part of an id, such as is typed into a search."""
    part = request.query.get(name) or None
    if part is not None and not _PART.fullmatch(part):
        raise BadValue(f"{name} is no part of a name", "allowed: letters, digits, _ and -")
    return part


def in_all(found: Sums) -> dict[str, Any]:
    """The sums of all."""
    days = found.days
    energy_wh, cents = sum(one.energy_wh for one in days), sum(one.cents for one in days)
    return _figures(Sum("", sum(one.sessions for one in days), energy_wh, cents))


def by_day_and_cp(found: Sums) -> dict[str, Any]:
    """The sums in all, by day and by CP."""
    return {
        **in_all(found),
        "days": [{"day": one.of, **_figures(one)} for one in found.days],
        "cps": [{"cp": one.of, **_figures(one)} for one in found.cps],
    }


def _figures(one: Sum) -> dict[str, Any]:
    cost = f"{one.cents // 100}.{one.cents % 100:02d}"
    return {"sessions": one.sessions, "energy_wh": one.energy_wh, "cost_eur": cost}


def asked_time(name: str, rest_of_day: str) -> str | None:
    """A time of the request's query as the ledger writes it; a date is given its `rest_of_day`."""
    value = request.query.get(name)
    if not value:
        return None
    try:
        if not _TIME.fullmatch(value):
            raise ValueError
        at = datetime.fromisoformat(value if "T" in value else value + rest_of_day)
        at = at.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise BadValue(
            f"{name} is not a time", "write 2026-11-22 or 2026-11-22T09:00:00Z"
        ) from None
    return f"{at.isoformat(timespec='milliseconds')}Z"
