"""Whole charges with each version, by chargers that two others wrote: Wh are the register's."""

from __future__ import annotations

import pytest

from tests.ocpp.conftest import CARD, Site
from tests.ocpp.wallboxes import BEGIN_WH, Wallbox, Wallbox16, Wallbox201, dialled


@pytest.mark.parametrize("kind", [Wallbox16, Wallbox201])
@pytest.mark.parametrize("package", ["ocpp", "ocpp-rpc"])
def test_by_card_from_afar_offline_and_over_a_power_cut(
    site: Site, kind: type[Wallbox], package: str
) -> None:
    box = kind()
    with dialled(site, box, package):
        box.boot()
        site.until("ACTIVATED")
        assert [box.authorize(tag) for tag in ("NOBODY", CARD)] == ["Invalid", "Accepted"]
        assert box.begin(CARD) == "Accepted"
        box.meter(400)
        site.until("SUPPLYING")
        box.end(350)
        site.tickets(1)
        site.until("ACTIVATED")
        site.charge()
        assert box.begin(box.told_to_start()) == "Accepted"
        box.meter(200)
        site.until("SUPPLYING")
        leaving = site.system.spawn("evcs-driver", "stop", "--driver", "ALICE")
        assert box.told_to_stop() == box.transaction
        box.end(100)
        out, _ = leaving.communicate(timeout=60)
        assert leaving.returncode == 0, out
        site.tickets(2)
    site.until("DISCONNECTED")
    with dialled(site, box, package):
        box.boot()
        # What was while it was away, by its clock.
        box.begin(CARD, ago_s=3_600)
        box.end(500, ago_s=1_800)
        site.tickets(3)
        box.begin(CARD)
        box.meter(300)
        site.until("SUPPLYING")
        site.system.kill_all()
    site.system.up()
    with dialled(site, box, package):
        box.meter(250)
        site.until("SUPPLYING")
        box.end(50)
        tickets = site.tickets(4)
    # The first is the one that began an hour ago.
    assert [row["energy_wh"] for row in reversed(tickets)] == [500, 750, 300, 600]
    assert sum(int(str(row["energy_wh"])) for row in tickets) == box.register_wh - BEGIN_WH
    assert {row["driver"] for row in tickets} == {"ALICE"}
