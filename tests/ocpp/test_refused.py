"""Refused logins of chargers are in the audit: few entries and a number, that nobody can forge."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from evcs.core.audit import AuditEntry, refused_logins
from tests.ocpp.conftest import Site, charger
from tests.system_under_test import System, eventually


@pytest.fixture
def alone(new_system: Callable[..., System]) -> Site:
    """One in whose audit nobody else is."""
    system = new_system()
    system.up()
    return charger(system)


def audited(site: Site) -> list[AuditEntry]:
    """Refused logins, the oldest first."""
    rows: list[dict[str, Any]] = site.system.ok("evcs", "audit", "--json").json
    found = [AuditEntry(**{name: row[name] for name in AuditEntry._fields}) for row in rows]
    return [one for one in reversed(found) if refused_logins(one)]


def _dial(url: str) -> int:
    try:
        with connect(url, subprotocols=["ocpp1.6"]):  # type: ignore[list-item]
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def refused(*urls: str) -> list[int]:
    """What each is answered, asked at once."""
    with ThreadPoolExecutor(len(urls)) as threads:
        return list(threads.map(_dial, urls))


def count(site: Site) -> int:
    return sum(map(refused_logins, audited(site)))


def test_each_is_audited_by_its_address_and_why(alone: Site) -> None:
    url, user, password = alone.dial()
    host = url.removeprefix("ws://").partition("/")[0]
    assert refused(f"ws://{user}:wrong@{host}/{user}") == [401]
    assert refused(f"ws://x:{password}@{host}/NOBODY") == [404]
    eventually("both are audited", lambda: count(alone) == 2)
    first, second = audited(alone)
    for one, why in ((first, "wrong credentials"), (second, "unknown station")):
        assert (one.what, one.outcome, one.detail) == ("login", "refused", f"gateway: {why}")
        assert one.who.startswith("127.0.0.1:")
        assert (one.cp, password in str(one), user in str(one)) == (None, False, False)


def test_a_flood_is_few_entries_and_a_number_and_is_not_forged(alone: Site) -> None:
    url, user, _ = alone.dial()
    host = url.removeprefix("ws://").partition("/")[0]
    forged = ["gateway: and 99 more", "and 99 more", "various", "operator login ok", "\n x", "a\tb"]
    names = [quote(one, safe="") for one in forged] * 20
    for first in range(0, len(names), 40):
        some = names[first : first + 40]
        assert set(refused(*(f"ws://{host}/{name}" for name in some))) == {404}
    wrong = quote("and 99 more", safe="")
    assert set(refused(*[f"ws://{wrong}:{wrong}@{host}/{user}"] * 30)) == {401}
    eventually("all are counted", lambda: count(alone) == 150)
    found = audited(alone)
    assert len(found) < 100
    assert {one.detail for one in found if refused_logins(one) == 1} <= {
        "gateway: wrong credentials", "gateway: unknown station", "gateway: and 1 more",
    }  # fmt: skip
    assert not any("99" in one.detail for one in found)
    with alone.peer16() as peer:
        assert peer.boot().status == "Accepted", "others are served"
