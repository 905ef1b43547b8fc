"""The back end of an emulated CP: what may be said of it, and the file that its Engine reads.

The file is the CP Manager's; the password is a secret of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from evcs.core import stations, units
from evcs.core.errors import BadValue, Conflict
from evcs.core.identities import of_backend, of_backend_ca, of_backend_certificate
from evcs.core.ids import is_word
from evcs.core.messages import DesiredCp
from evcs.core.placement import OCPP
from evcs.core.strict_json import parse as parse_json

#: OCPP's versions as people write them. Of a CP that dials out; see core.ocpp.rules.Version.
VERSIONS = ("1.6", "2.0.1")
MAX_TAG = 20
MAX_PASSWORD = 40
#: Of CAs, or of a key with its certificate and those between it and its CA.
MAX_PEM = 32_768
NOT_HERE = "its back end says how much it takes"
PLACE = "{id}"


class BackEndOf(NamedTuple):
    """What a CP's Engine has to know. `url`: as it is given, perhaps with {id} in it."""

    url: str
    ocpp: str
    ocpp_id: str
    token: str
    max_power_w: int

    def dialled(self) -> str:
        """The address: the station's identity in the place of {id}, else behind it."""
        name = stations.in_path(self.ocpp_id)
        if PLACE in self.url:
            return self.url.replace(PLACE, name)
        return f"{self.url.rstrip('/')}/{name}"


def url(value: object) -> str:
    """Where a back end is dialled. Raises BadValue."""
    hint = "such as wss://example.org/ocpp/{id}"
    if not isinstance(value, str) or not value.isascii() or not is_word(value):
        raise BadValue(f"backend: {ascii(value)[:60]} is not allowed", hint)
    try:
        parts = urlsplit(value.replace(PLACE, "id"))
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:
        host, port = None, None
    plain = " " not in value and not parts.fragment if host else False
    if not plain or parts.scheme not in ("ws", "wss") or port == 0:
        raise BadValue(f"backend: {ascii(value)[:60]} is no address of a back end", hint)
    if parts.username is not None or parts.password is not None:
        raise BadValue("backend: no password in the address", "give it with: --ocpp-password-file")
    return value


def version(value: object) -> str:
    """A version of OCPP that a CP speaks to a back end. Raises BadValue."""
    if value not in VERSIONS:
        allowed = f"allowed: {', '.join(VERSIONS)}"
        raise BadValue(f"ocpp: {ascii(value)[:60]} is not allowed", allowed)
    return str(value)


def token(value: object) -> str:
    """A card. Raises BadValue."""
    if (
        not isinstance(value, str) or not 0 < len(value) <= MAX_TAG or not value.isascii()
        or not value.isprintable() or value != value.strip()
    ):  # fmt: skip
        raise BadValue(
            f"token: {ascii(value)[:60]} is not allowed",
            f"allowed: 1 to {MAX_TAG} printed ASCII characters, no space at either end",
        )
    return value


FIELDS: Mapping[str, Callable[[object], str]] = {"backend": url, "ocpp": version, "token": token}


def password(value: object) -> str:
    """With what it dials in. Raises BadValue."""
    good = isinstance(value, str) and 0 < len(value) <= MAX_PASSWORD and value.isascii()
    if not good or not str(value).isprintable():
        allowed = f"allowed: 1 to {MAX_PASSWORD} printed ASCII characters"
        raise BadValue("ocpp_password is not allowed", allowed)
    return str(value)


def authorities(value: object) -> str:
    """Whose certificate its back end may have, as PEM. Raises BadValue."""
    return _pem("backend_ca", value, ["CERTIFICATE-----"])


def certificate(value: object) -> str:
    """Its own key and certificate, as PEM. Raises BadValue."""
    return _pem("backend_certificate", value, ["PRIVATE KEY-----", "CERTIFICATE-----"])


def _pem(name: str, value: object, parts: list[str]) -> str:
    good = isinstance(value, str) and len(value) <= MAX_PEM and value.isascii()
    if not good or not all(part in str(value) for part in parts):
        needed = " and ".join(f"BEGIN {part.rstrip('-')}" for part in parts)
        raise BadValue(f"{name} is not allowed", f"allowed: PEM with {needed}")
    return str(value)


#: What is kept of it as secrets: the rule of each field, and the identity that has it.
SECRETS: Mapping[str, tuple[Callable[[object], str], Callable[[str], str]]] = {
    "ocpp_password": (password, of_backend),
    "backend_ca": (authorities, of_backend_ca),
    "backend_certificate": (certificate, of_backend_certificate),
}


def secrets(cp: str, given: object) -> dict[str, str]:
    """A new CP's secrets by identity. Raises BadValue."""
    if not isinstance(given, Mapping):
        return {}
    return {
        identity(cp): rule(given[field])
        for field, (rule, identity) in SECRETS.items()
        if field in given
    }


def placed(cp: str, hosting: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new CP's fields of its back end, with defaults; none where it has none. Raises BadValue."""
    if "backend" not in given:
        if odd := next((field for field in (*FIELDS, *SECRETS) if field in given), None):
            raise BadValue(f"{odd}: only a CP with a back end has one", "leave it out")
        return {}
    odd = next((field for field in ("backend_ca", "backend_certificate") if field in given), None)
    if odd is not None and not given["backend"].startswith("wss:"):
        raise BadValue(f"{odd}: ws:// has no certificates", "give a back end of wss://")
    if hosting == OCPP:
        raise BadValue("backend: a real charger has one of its own", "leave it out")
    if given.get("circuit") is not None:
        raise BadValue(f"circuit: {NOT_HERE}", "leave it out")
    if given.get("service", "in") != "in":
        raise BadValue("service: its back end says whether it is in service", "leave it out")
    return {
        "backend": given["backend"], "ocpp": given.get("ocpp", VERSIONS[0]),
        "token": given.get("token"), "ocpp_id": given.get("ocpp_id", cp),
    }  # fmt: skip


class Dialled:
    """Which CP is which station of a back end: two would throw each other out for ever."""

    def __init__(self, cps: Iterable[DesiredCp]) -> None:
        self._cps: dict[str, str] = {}
        for cp in cps:
            if (found := of(cp)) is not None:
                self._cps[found.dialled()] = cp.id

    def take(self, cp: DesiredCp) -> None:
        """A new CP is that station. Raises Conflict where another is."""
        found = of(cp)
        if found is None:
            return
        other = self._cps.setdefault(found.dialled(), cp.id)
        if other != cp.id:
            hint = "give each another --ocpp-id"
            raise Conflict(f"CP {cp.id}: CP {other} is that station of its back end", hint)


def check_edit(before: DesiredCp, after: DesiredCp) -> None:
    """What is its back end's is not ours to change. Raises Conflict."""
    if any(getattr(before, field) != getattr(after, field) for field in FIELDS):
        hint = "delete it and create it anew"
        raise Conflict(f"CP {before.id}: its back end is given as it is created", hint)
    if before.backend is None:
        return
    if before.host != after.host:
        hint = "delete it, and create it anew with: --host"
        raise Conflict(f"CP {before.id}: what waits for its back end is on its host", hint)
    if before.service != after.service:
        hint = "ask it there, or: evcs-cp fault"
        raise Conflict(f"CP {before.id}: its back end says whether it is in service", hint)
    if after.circuit is not None:
        raise Conflict(f"CP {before.id}: {NOT_HERE}", "leave the circuit out")


def of(cp: DesiredCp) -> BackEndOf | None:
    """What its Engine has to know; None where it has no back end."""
    if cp.backend is None or cp.ocpp is None:
        return None
    return BackEndOf(cp.backend, cp.ocpp, cp.ocpp_id or cp.id, cp.token or "", cp.max_power_w)


def render(of: BackEndOf) -> str:
    """The whole file."""
    return json.dumps(of._asdict(), indent=0) + "\n"


def parse(raw: bytes) -> BackEndOf:
    """What a file says. Raises BadValue where it isn't one."""
    try:
        found: Any = parse_json(raw, unique=True)
        return BackEndOf(
            url(found["url"]), version(found["ocpp"]), stations.ocpp_id(found["ocpp_id"]),
            token(found["token"]) if found["token"] else "",
            units.whole("max_power_w", found["max_power_w"], 1, units.MAX_POWER_W),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise BadValue(f"that is no back end: {error}") from None
