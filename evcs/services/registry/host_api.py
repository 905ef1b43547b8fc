"""Hosts over HTTP: invited and removed by the operator; they join, and get their CPs' secrets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from bottle import Bottle, HTTPResponse, request

from evcs import __version__
from evcs.core import hosts as core
from evcs.core.errors import BadValue, Denied
from evcs.core.hosts import Host
from evcs.services import http
from evcs.services.http import bearer_token, body_json, json_bytes, json_response, list_response
from evcs.services.registry import hosts
from evcs.services.registry.service import Registry

JOIN, SECRETS = "/api/v1/join", "/api/v1/secrets"
#: Whoever asks for these shows a secret of his own, not the operator's token.
OWN_DOORS = frozenset({JOIN, SECRETS})

Refuse = Callable[[str], None]


def add_to(app: Bottle, registry: Registry, refuse: Refuse) -> None:
    """`refuse(what)` audits somebody with a wrong secret, and returns when he may be told."""

    @app.get("/api/v1/hosts")
    def list_hosts() -> HTTPResponse:
        there = sorted(registry.hosts.items())
        return list_response({name: json_bytes(_shown(one)) for name, one in there})

    @app.post("/api/v1/hosts")
    def invite() -> HTTPResponse:
        secret = secrets.token_urlsafe(32)
        made = registry.ask_as(http.who(), hosts.invite, body_json(), secret)
        return json_response({**_shown(made), "secret": secret}, 201)

    @app.delete("/api/v1/hosts/<name>")
    def remove(name: str) -> HTTPResponse:
        registry.ask_as(http.who(), hosts.remove, name, request.query.get("lost_to"))
        return json_response({"name": name})

    @app.post(JOIN)
    def join() -> HTTPResponse:
        secret, now = _shown_secret(), registry.now()
        host = next((h for h in registry.hosts.values() if core.may_join(h, secret, now)), None)
        if host is None:
            refuse("an invitation")
        else:
            core.check_format(host.name, _format())
        made = registry.ask(hosts.join, secret)
        password = registry.password_of(made.name)
        return json_response({"name": made.name, "secret": password})

    @app.get(SECRETS)
    def of_cps() -> HTTPResponse:
        _shown_secret()
        name = shown_host(registry)
        if name is None:
            refuse("a host's secret")
            raise Denied("that is no host's secret", "join again: at the centre, evcs host add")
        core.check_format(name, _format())
        mine = registry.secrets_of(name)
        return json_response({"name": name, "version": __version__, "secrets": mine})


def shown_host(registry: Registry) -> str | None:
    """The joined host whose secret the request shows."""
    given = bearer_token() or ""
    for name in core.joined_of(registry.hosts) if given.isascii() else ():
        if http.token_matches(given, registry.password_of(name)):
            return name
    return None


def _format() -> str:
    """How who asks speaks; see core.hosts.FORMAT."""
    return str(request.query.get("format", ""))


def _shown_secret() -> str:
    given = bearer_token()
    if not given:
        raise Denied("a secret is needed", "send Authorization: Bearer")
    if not given.isascii():
        raise BadValue("that is no secret", "it is ASCII")
    return given


def _shown(host: Host) -> dict[str, Any]:
    """A host as it is shown; what its invitation's secret is nobody knows any more."""
    found = core.told(host)._asdict()
    return {"name": found.pop("host"), **found}
