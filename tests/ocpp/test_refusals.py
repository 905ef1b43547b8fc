"""A charger that says no, or nothing, to what it is asked: its word is told, nothing pretends."""

from __future__ import annotations

import json

import pytest

from tests.ocpp.conftest import Site, charger
from tests.ocpp.fleet import NOTHING, Charger, Dial, Fleet
from tests.system_under_test import System, eventually

PROFILE = {
    "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 4000}],
    },
}  # fmt: skip
SET_PROFILE = ("ocpp", "SetChargingProfile", "--json",
               json.dumps({"connectorId": 1, "csChargingProfiles": PROFILE}))  # fmt: skip


def words(site: Site, order: tuple[str, ...]) -> tuple[str, ...]:
    """The command of an order."""
    if order[0] == "charge":
        return ("evcs-driver", "charge", site.cp, "--driver", "ALICE", "--no-watch")
    return ("evcs-cp", order[0], site.cp, *order[1:])


def there(*sites: Site) -> Fleet:
    """Their chargers."""
    return Fleet(Dial(*site.dial(), "") for site in sites)


def are_ready(fleet: Fleet, sites: list[Site]) -> None:
    eventually("they are there", lambda: all(one.boots for one in fleet.chargers))
    for site in sites:
        site.until("ACTIVATED")


@pytest.mark.parametrize(
    ("order", "action", "word"),
    [
        (("reset",), "Reset", "Rejected"),
        (("reset", "--hard"), "Reset", "NotSupported"),
        (("unlock",), "UnlockConnector", "UnlockFailed"),
        (("unlock",), "UnlockConnector", "NotImplemented"),
        (("trigger", "MeterValues"), "TriggerMessage", "Rejected"),
        (("configuration", "set", "HeartbeatInterval", "9"), "ChangeConfiguration", "Rejected"),
        (("restart",), "Reset", "Rejected"),
        (("charge",), "RemoteStartTransaction", "Rejected"),
        (("charge",), "RemoteStartTransaction", "InternalError"),
        (SET_PROFILE, "SetChargingProfile", "NotSupported"),
    ],
)
def test_its_word_is_told(site: Site, order: tuple[str, ...], action: str, word: str) -> None:
    with there(site) as fleet:
        are_ready(fleet, [site])
        fleet.chargers[0].says[action] = word
        done = site.system.run(*words(site, order))
        assert done.code == 5, done
        assert f"the charger answered {word}" in done.err
        assert fleet.chargers[0].asked.count(action) == 1
        assert site.state() == "ACTIVATED"
        assert site.system.ok("evcs", "sessions", "--cp", site.cp, "--json").json == [] or (
            order == ("charge",) and site.tickets()[0]["energy_wh"] == 0
        )


def test_any_action_is_answered_with_what_the_charger_says(site: Site) -> None:
    with there(site) as fleet:
        are_ready(fleet, [site])
        fleet.chargers[0].says["SetChargingProfile"] = "Rejected"
        done = site.system.ok(*words(site, SET_PROFILE))
        assert json.loads(done.out) == {"status": "Rejected"}


def test_chargers_that_say_nothing(system: System) -> None:
    orders = {
        "Reset": ("reset",), "UnlockConnector": ("unlock",), "SetChargingProfile": SET_PROFILE,
        "TriggerMessage": ("trigger", "Heartbeat"), "RemoteStartTransaction": ("charge",),
    }  # fmt: skip
    sites = [charger(system) for _ in orders]
    with there(*sites) as fleet:
        are_ready(fleet, sites)
        for one, action in zip(fleet.chargers, orders, strict=True):
            one.says[action] = NOTHING
        asking = [
            system.spawn(*words(site, order))
            for site, order in zip(sites, orders.values(), strict=True)
        ]
        ends = [process.communicate(timeout=90) for process in asking]
        for action, process, (_, said) in zip(orders, asking, ends, strict=True):
            is_start = action == "RemoteStartTransaction"
            assert process.returncode == (5 if is_start else 6), (action, said)
            assert ("answered nothing" if is_start else "does not answer") in said
        # They are served on.
        assert all(took >= 0 for took in fleet.each(Charger.beat))
        assert [site.state() for site in sites] == ["ACTIVATED"] * len(sites)
