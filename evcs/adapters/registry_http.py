"""A client of the Registry's HTTP interface."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from evcs.adapters.tls import client_context, refused
from evcs.config import Endpoint
from evcs.core.audit import WHO_HEADER
from evcs.core.errors import BY_CODE, EvcsError, Unreachable
from evcs.core.hosts import FORMAT

TIMEOUT_S = 40.0
RETRY_S = 0.1
#: A server takes 1 MiB at once.
MOST_ITEMS_BYTES = 1_000_000


class RegistryClient:
    """Calls on a Registry; errors come back as the EvcsError that it raised.

    `who`: in whose name a change is asked for, for the audit.
    """

    def __init__(
        self, registry: Endpoint, token: Callable[[], str], patience_s: float = 0.0,
        timeout_s: float = TIMEOUT_S, who: Callable[[], str] = lambda: "",
    ) -> None:  # fmt: skip
        self._registry, self._token, self._patience_s = registry, token, patience_s
        self._who = who
        self._timeout_s = min(timeout_s, TIMEOUT_S)

    def cps(self) -> list[dict[str, Any]]:
        """All CPs that are not being deleted."""
        return self._call("GET", "/api/v1/cps")

    def cp(self, cp: str) -> dict[str, Any]:
        """One CP, also while it is being deleted. Raises NotFound."""
        return self._call("GET", f"/api/v1/cps/{quote(cp, safe='')}")

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Create a CP."""
        return self._call("POST", "/api/v1/cps", fields)

    def create_many(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Create CPs, in one commit where a request holds them; an item is a CP or an error."""
        made: list[dict[str, Any]] = []
        for part in _parts(items):
            made += self._call("POST", "/api/v1/cps", part)
        return made

    def edit(self, cp: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Change fields of a CP."""
        return self._call("PATCH", f"/api/v1/cps/{quote(cp, safe='')}", fields)

    def delete(self, cp: str) -> dict[str, Any]:
        """Begin a CP's deletion."""
        return self._call("DELETE", f"/api/v1/cps/{quote(cp, safe='')}")

    def revoke(self, cp: str) -> dict[str, Any]:
        """Shut a CP's identities out."""
        return self._call("POST", f"/api/v1/cps/{quote(cp, safe='')}/revoke")

    def rekey(self, cp: str) -> dict[str, Any]:
        """Give a CP new secrets, and lift a revocation."""
        return self._call("POST", f"/api/v1/cps/{quote(cp, safe='')}/rekey")

    def drivers(self) -> list[dict[str, Any]]:
        """All drivers."""
        return self._call("GET", "/api/v1/drivers")

    def add_driver(self, driver: str) -> dict[str, Any]:
        """Add a driver and its secret."""
        return self._call("POST", "/api/v1/drivers", {"id": driver})

    def tag_driver(self, driver: str, **change: list[str]) -> dict[str, Any]:
        """Change a driver's tags: `add_tags`, `remove_tags`."""
        return self._call("PATCH", f"/api/v1/drivers/{quote(driver, safe='')}", change)

    def remove_driver(self, driver: str) -> dict[str, Any]:
        """Remove a driver and its secret."""
        return self._call("DELETE", f"/api/v1/drivers/{quote(driver, safe='')}")

    def circuits(self) -> list[dict[str, Any]]:
        """All circuits."""
        return self._call("GET", "/api/v1/circuits")

    def add_circuit(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Add a circuit, with its meter's secret."""
        return self._call("POST", "/api/v1/circuits", fields)

    def edit_circuit(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Change fields of a circuit."""
        return self._call("PATCH", f"/api/v1/circuits/{quote(name, safe='')}", fields)

    def remove_circuit(self, name: str) -> dict[str, Any]:
        """Remove a circuit that feeds nothing."""
        return self._call("DELETE", f"/api/v1/circuits/{quote(name, safe='')}")

    def hosts(self) -> list[dict[str, Any]]:
        """All hosts beside the centre."""
        return self._call("GET", "/api/v1/hosts")

    def invite_host(self, host: str, ttl_s: int) -> dict[str, Any]:
        """Let a machine of that name join within so many seconds, by the secret in the answer."""
        return self._call("POST", "/api/v1/hosts", {"name": host, "ttl_s": ttl_s})

    def remove_host(self, host: str, lost_to: str | None = None) -> dict[str, Any]:
        """Remove a host that has no CP, or one that is lost, whose CPs go to `lost_to`."""
        query = f"?lost_to={quote(lost_to, safe='')}" if lost_to else ""
        return self._call("DELETE", f"/api/v1/hosts/{quote(host, safe='')}{query}")

    def join(self) -> dict[str, Any]:
        """Join, the token being an invitation; the answer has the host's own secret."""
        return self._call("POST", f"/api/v1/join?format={FORMAT}", {})

    def secrets(self) -> dict[str, Any]:
        """The secrets of a host's CPs, the token being its own, and the centre's version.

        Raises OtherFormat where the two don't speak alike.
        """
        return self._call("GET", f"/api/v1/secrets?format={FORMAT}")

    def health(self) -> dict[str, Any]:
        """Whether it is there, and its time."""
        return self._call("GET", "/healthz")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        # Also where nothing is changed: who shows it waits for nobody.
        headers = {"Authorization": f"Bearer {self._token()}"}
        if method != "GET":
            headers[WHO_HEADER] = self._who()
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        connection = self._connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            status, raw = answer.status, answer.read()
            found = json.loads(raw)
        except (OSError, http.client.HTTPException, ValueError):
            if method != "GET":
                raise Unreachable(
                    "the Registry gave no answer; the change may have been made all the same",
                    "see: evcs-cp list",
                ) from None
            raise self._unreachable() from None
        finally:
            connection.close()
        if status >= 400:
            raise error_from(found)
        return found

    def _connect(self) -> http.client.HTTPConnection:
        """A connection; one that is refused is tried again while the system may be starting."""
        connection = connect(self._registry, self._timeout_s)
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                connection.connect()
                return connection
            except ssl.SSLCertVerificationError as error:
                raise refused("Registry", error) from None
            except OSError:
                if time.monotonic() >= deadline:
                    raise self._unreachable() from None
                time.sleep(RETRY_S)

    def _unreachable(self) -> Unreachable:
        hint = "see: evcs logs registry" if self._patience_s else "start it: evcs up"
        return Unreachable(f"the Registry does not answer on port {self._registry.port}", hint)


def _parts(items: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As many items each as a request holds; none is one part, too."""
    part: list[dict[str, Any]] = []
    size = 0
    for item in items:
        more = len(json.dumps(item)) + len(", ")
        if size + more > MOST_ITEMS_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += more
    yield part


def connect(server: Endpoint, timeout_s: float) -> http.client.HTTPConnection:
    """A connection that is still to be made, with TLS where the server has it."""
    if server.ca is None:
        return http.client.HTTPConnection(server.host, server.port, timeout=timeout_s)
    context = client_context(server.ca)
    return http.client.HTTPSConnection(server.host, server.port, timeout=timeout_s, context=context)


def error_from(found: Any) -> EvcsError:
    """The error that an answer's {"error": ...} stands for."""
    error = found.get("error", {}) if isinstance(found, dict) else {}
    return BY_CODE.get(error.get("code", ""), EvcsError)(str(error.get("message", found)))
