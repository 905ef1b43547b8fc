"""What travels on the bus because somebody asks: a driver, the operator, web; of core.messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evcs.core.gateway_messages import NOTHING

#: What is done by hand to an emulated charger.
SIMULATED = ("plug", "unplug", "fault", "clear")


class DriverRequest(NamedTuple):
    """Driver: charge, stop, list, history, status.

    A list or history comes in pages: `after` is the last one's `next`, `limit` the most rows.
    """

    driver: str
    verb: str
    id: str
    cp: str | None = None
    energy_wh: int | None = None
    after: str | None = None
    limit: int | None = None


class DriverEvent(NamedTuple):
    """Central to a driver: authorised, denied, started, progress, interrupted, ticket, answer."""

    driver: str
    event: str
    id: str | None = None
    session_id: str | None = None
    body: Mapping[str, Any] = NOTHING


class OperatorRequest(NamedTuple):
    """Operator or web: plug, unplug, fault, clear, make_way (a CP), end, close (a session), forget.

    Of a charger of a back end: present (a card is held to it), backend (what it has of that).

    And what a CP Manager is asked for (`ManagerCommand`), or a gateway (`GatewayCommand`, with the
    `body`). `by`: who that is, as the asker says it, for the audit: a user's name, or an address.
    """

    asker: str
    verb: str
    id: str
    cp: str | None = None
    session_id: str | None = None
    reason: str | None = None
    driver: str | None = None
    role: str | None = None
    after: str | None = None
    by: str | None = None
    body: Mapping[str, Any] = NOTHING

    @property
    def who(self) -> str:
        """As the audit has it: operator/root, web/192.0.2.7."""
        return f"{self.asker}/{self.by}" if self.by else self.asker


class OperatorEvent(NamedTuple):
    """Central to the operator or web: the answer to a request."""

    asker: str
    event: str
    id: str
    ok: bool
    error: str | None = None
    body: Mapping[str, Any] = NOTHING


class ManagerCommand(NamedTuple):
    """Central to a CP Manager: restart, kill (a role), processes, log (a role's, in pages).

    And host, without a CP: its time and its address.
    """

    host: str
    verb: str
    id: str
    cp: str = ""
    role: str | None = None
    after: str | None = None


class ManagerReply(NamedTuple):
    """CP Manager: the answer to the command of that id; `error` is the code of core.errors."""

    host: str
    id: str
    ok: bool
    error: str | None = None
    body: Mapping[str, Any] = NOTHING
