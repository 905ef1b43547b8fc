"""What chargers of others are told to take of their circuit, in both versions."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.faults.circuit_load import overs
from tests.ocpp.conftest import CARD, Site
from tests.ocpp.wallboxes import Limit, Wallbox, Wallbox16, Wallbox201, dialled
from tests.system_under_test import System, eventually

MINIMUM_W = 4_140


@pytest.fixture
def garage(site: Site) -> Site:
    """Its CP is in a circuit of 9 kW, with an emulated one beside it; what it is called like."""
    site.system.ok("evcs", "circuit", "add", site.cp, "--max-power-kw", "9")
    site.system.ok("evcs-cp", "edit", site.cp, "--circuit", site.cp)
    site.system.ok("evcs-cp", "create", _beside(site), "--circuit", site.cp)
    site.system.ok("evcs", "driver", "add", _beside(site))
    return site


def _beside(site: Site) -> str:
    return f"B-{site.cp}"


def _charge_beside(site: Site) -> None:
    there = _beside(site)
    site.system.ok("evcs-driver", "charge", there, "--driver", there, "--no-watch")


def _session(system: System, cp: str) -> dict[str, int]:
    found: dict[str, int] = system.ok("evcs-cp", "show", cp, "--json").json["session"] or {}
    return found


@pytest.mark.parametrize("kind", [Wallbox16, Wallbox201])
@pytest.mark.parametrize("package", ["ocpp", "ocpp-rpc"])
def test_it_is_told_a_default_and_in_a_charge_its_share(
    garage: Site, kind: type[Wallbox], package: str
) -> None:
    box, beside = kind(), _beside(garage)
    with dialled(garage, box, package):
        box.boot()
        eventually("a default", lambda: Limit(MINIMUM_W, None, None) in box.limits(), 60)
        assert box.begin(CARD) == "Accepted"
        box.meter(100, MINIMUM_W)
        alone = Limit(9_000, box.transaction, 60)
        eventually("all that there is", lambda: alone in box.limits(), 60)
        box.meter(100, 9_000)
        _charge_beside(garage)
        eventually("half of it", lambda: box.limits()[-1] == Limit(4_500, box.transaction, 60), 60)
        # What it may still take by its last reading is nobody else's.
        assert _session(garage.system, beside)["limit_w"] == 0
        box.meter(100, 4_400)
        shares = lambda: _session(garage.system, beside).get("limit_w")  # noqa: E731
        eventually("the other half is the other's", lambda: shares() == 4_500, 60)
        box.end(50)
        garage.tickets(1)
        # With what is kept it may begin the next at any moment.
        eventually("and then the rest", lambda: shares() == 9_000 - MINIMUM_W, 60)


@pytest.mark.parametrize("kind", [Wallbox16, Wallbox201])
def test_one_that_tells_its_register_alone_is_seen_to_obey(
    garage: Site, kind: type[Wallbox]
) -> None:
    box, beside = kind(), _beside(garage)
    limit_of = lambda cp: _session(garage.system, cp).get("limit_w")  # noqa: E731
    with dialled(garage, box, "ocpp"):
        box.boot()
        assert box.begin(CARD) == "Accepted"
        box.meter(0, None)
        eventually("all that there is", lambda: limit_of(garage.cp) == 9_000, 60)
        _charge_beside(garage)
        half = Limit(4_500, box.transaction, 60)
        eventually("half of it", lambda: box.limits()[-1] == half, 60)
        began, register_wh = time.monotonic(), box.register_wh

        def meters() -> bool:
            box.register_wh = register_wh + int(4_400 * (time.monotonic() - began) / 3_600)
            box.meter(0, None)
            found: bool = limit_of(beside) == 4_500
            return found

        eventually("the other half is the other's", meters, 80, every_s=1.0)
        found = _session(garage.system, garage.cp)
        assert 4_000 <= found["power_w"] <= 4_800  # its clock tells whole seconds
        assert 30 <= found["limit_shown_s"] <= 80
        box.end(50)
        garage.tickets(1)


def test_one_that_takes_no_limit_counts_with_its_most(garage: Site) -> None:
    """Before it charges, and beyond its charge; that is said, and audited."""
    system, box, beside = garage.system, Wallbox16(), _beside(garage)
    system.ok("evcs", "circuit", "edit", garage.cp, "--max-power-kw", "30")
    share = lambda: _session(system, beside).get("limit_w")  # noqa: E731
    reason = lambda: system.ok("evcs-cp", "show", garage.cp, "--json").json["reason"]  # noqa: E731
    with dialled(garage, box, "ocpp"), system.listening("evcs/v1/#") as heard:
        answers = box.line._peer.says  # type: ignore[attr-defined]
        answers["SetChargingProfile"] = "Rejected"  # but for one that it has taken already
        box.boot()
        system.ok("evcs", "circuit", "edit", garage.cp, "--max-power-kw", "8")
        system.ok("evcs", "circuit", "edit", garage.cp, "--max-power-kw", "30")
        eventually("it refuses", lambda: reason() == "refuses its limit", 60)
        _charge_beside(garage)
        eventually("the rest is the other's", lambda: share() == 8_000, 60)
        for number in (1, 2):
            assert box.begin(CARD) == "Accepted"
            box.meter(100, 22_000)
            more = len(box.limits()) + 3
            eventually("it is tried again", partial(_told, box, more), 60)
            assert (reason(), share()) == ("refuses its limit", 8_000)
            box.end(50)
            garage.tickets(number)
        answers["SetChargingProfile"] = "Accepted"
        # It may have taken its default before it refused: then only a charge can show better.
        assert box.begin(CARD) == "Accepted"
        eventually("it has taken one", lambda: reason() == "", 60)
        box.end(50)
        garage.tickets(3)
        eventually("its fallback is kept", lambda: share() == 22_000, 60)
    assert overs(heard, [garage.cp, beside], 30_000) == []
    audited = system.ok("evcs", "audit", "--cp", garage.cp, "--json").json
    outcomes = {one["outcome"] for one in audited if one["what"] == "limit"}
    assert outcomes == {"refuses its limit", "obeys again"}


def _told(box: Wallbox, count: int) -> bool:
    return len(box.limits()) >= count


def test_out_of_its_circuit_it_is_told_so(garage: Site) -> None:
    box = Wallbox16()
    with dialled(garage, box, "ocpp"):
        box.boot()
        eventually("a default", lambda: box.limits(), 60)
        garage.system.ok("evcs-cp", "edit", garage.cp, "--no-circuit")
        eventually("cleared", lambda: len(box.line.told("ClearChargingProfile")) == 2, 60)


@pytest.mark.parametrize("kind", [Wallbox16, Wallbox201])
def test_one_that_was_away_as_it_left_its_circuit_is_told_so(
    garage: Site, kind: type[Wallbox]
) -> None:
    box = kind()
    with dialled(garage, box, "ocpp"):
        box.boot()
        eventually("a default", lambda: box.limits(), 60)
    garage.system.ok("evcs-cp", "edit", garage.cp, "--no-circuit")
    with dialled(garage, box, "ocpp"):
        box.boot()
        eventually("cleared", lambda: len(box.line.told("ClearChargingProfile")) == 2, 60)
        assert box.limits() == []
