"""E7 to E9: many chargers at once while the gateway, Central or the broker goes away.

Small in the checks; as FAULTS wants it by hand:
    AWAY_S=60 CHARGERS=1000 bin/check tests/ocpp/test_fleet.py
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.ocpp.fleet import Charger, Dial, Fleet
from tests.system_under_test import System, eventually

CHARGING = 20
CHARGERS = int(os.environ.get("CHARGERS", "60"))
AWAY_S = float(os.environ.get("AWAY_S", "3"))
STEPS = (
    "gateway.begin_received", "gateway.begin_kept", "gateway.begin_answered",
    "gateway.reading_kept", "gateway.end_received", "gateway.end_kept", "gateway.settled",
)  # fmt: skip
#: Of each charge.
WH = 300
GATEWAY = "_ocpp:gateway"

_log = logging.getLogger(__name__)


class Site(NamedTuple):
    """A system, and the chargers of its CPs; the driver of each CP has its name, and a card.

    `charged`: Wh of each time that all of them have charged.
    """

    system: System
    dials: list[Dial]
    charged: list[int]

    def has_one_ticket_of_each_charge(self) -> None:
        """Until each CP has charged once more: a ticket of its driver, and no other session."""
        self.charged.append(WH)
        expected = [
            (one.user, one.user, wh, "settled") for one in self.dials for wh in self.charged
        ]

        def told() -> list[tuple[str, str, int, str]]:
            rows = self.system.ok("evcs", "sessions", "--json").json
            found = [(row["cp"], row["driver"], row["energy_wh"], row["state"])
                     for row in reversed(rows)]  # fmt: skip
            return sorted(found, key=lambda row: row[0])

        eventually("all are settled", lambda: all(row[3] == "settled" for row in told()), 120)
        assert told() == expected


def made(system: System, count: int) -> Site:
    """So many chargers' CPs."""
    system.ok("evcs-cp", "create", f"CP-{{0001..{count:04d}}}", "--hosting", "ocpp")
    names = [f"CP-{number:04d}" for number in range(1, count + 1)]
    url = f"ws://127.0.0.1:{system.ocpp_port}/"
    dials = [
        Dial(url + name, name, system.secret(f"station/{name}"), f"card-{name}") for name in names
    ]
    return Site(system, dials, [])


@pytest.fixture(scope="module")
def site(new_system: Callable[..., System]) -> Site:
    """Twenty of them, in a system that can be told to crash."""
    system = new_system()
    system.up(EVCS_CRASH_AT=f"@{system.home}/run/crash_at")
    found = made(system, CHARGING)
    system.ok("evcs", "driver", "add", *(one.user for one in found.dials))
    for one in found.dials:
        system.ok("evcs", "driver", "tag", one.user, "add", one.card)
    return found


@pytest.fixture
def fleet(site: Site) -> Iterator[Fleet]:
    """They are there."""
    with Fleet(site.dials) as found:
        yield found


async def charge(charger: Charger) -> None:
    """All of it."""
    await charger.begin()
    await charger.meter(100)
    await charger.end(WH - 100)


@pytest.mark.parametrize("step", STEPS)
def test_the_gateway_is_killed_at_a_step_of_twenty_charges(
    site: Site, fleet: Fleet, step: str
) -> None:
    system = site.system
    before = system.processes()[GATEWAY]
    armed = system.home / "run" / "crash_at"
    armed.write_text(step)
    fleet.each(charge)
    try:
        eventually("it crashed", lambda: not armed.exists())
    except AssertionError as error:
        log = (system.home / "log" / "_ocpp.gateway.log").read_text()[-4_000:]
        error.add_note(f"{[one.answers for one in fleet.chargers]}\n{log}")
        raise
    eventually("it is back", lambda: system.processes().get(GATEWAY, before) != before)
    site.has_one_ticket_of_each_charge()
    assert {word for one in fleet.chargers for word in one.answers} == {"Accepted"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["central", "mosquitto"])
def test_chargers_begin_and_end_while_nobody_can_say_whose_a_card_is(
    site: Site, fleet: Fleet, who: str
) -> None:
    half = slice(0, CHARGING // 2)
    fleet.each(Charger.begin, half)
    fleet.each(lambda one: one.meter(100), half)
    site.system.ok("supervisorctl", "stop", who)
    with fleet.beside(
        lambda one: charge(one) if one.transaction is None else one.end(WH - 100)
    ) as done:
        time.sleep(AWAY_S)  # that is the fault
        site.system.ok("supervisorctl", "start", who)
        done()
    site.has_one_ticket_of_each_charge()
    assert {word for one in fleet.chargers for word in one.answers} == {"Accepted"}


@pytest.mark.timeout(900)
def test_all_come_back_at_once(new_system: Callable[..., System]) -> None:
    system = new_system()
    system.up()
    with Fleet(made(system, CHARGERS).dials) as fleet:
        eventually("all are there", lambda: all(one.boots for one in fleet.chargers), 120)
        os.kill(system.processes()[GATEWAY], signal.SIGKILL)
        killed = time.monotonic()
        eventually("all are back", lambda: all(len(one.boots) > 1 for one in fleet.chargers), 120)
        back_s = max(one.boots[1] for one in fleet.chargers) - killed
        states = eventually("all are free", lambda: set(system.states().values()) == {"ACTIVATED"})
        beats_s = sorted(fleet.in_turn(Charger.beat))
        assert states
        p95_ms = beats_s[len(beats_s) * 95 // 100] * 1_000
        _log.warning("%d back in %.1f s; heartbeat p95 %.0f ms", CHARGERS, back_s, p95_ms)
        for one in fleet.chargers:
            assert one.asked.count("TriggerMessage") <= len(one.boots), "never again and again"
            assert len(one.boots) == 2, "nobody was sent away again"
