"""A backup that is older than the last charges, restored: chargers dial in as before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.ocpp.conftest import CARD, Site, charger, listens, made
from tests.system_under_test import System, eventually


def test_an_old_backup_knows_its_chargers_and_gives_no_number_twice(
    new_system: Callable[..., System], short_tmp: Path
) -> None:
    system = new_system()
    system.up()
    site = charger(made(system))
    dialled = site.dial()
    with site.peer16() as peer:
        site.ready(peer)
        begun = peer.begin(CARD, 1_000)
        peer.end(begun.transaction_id, 1_300)
        site.tickets()
        open_ = peer.begin(CARD, 1_300)
        system.ok("evcs", "backup", str(short_tmp / "old.backup"))
        peer.end(open_.transaction_id, 1_450)
        lost = peer.begin(CARD, 1_450)
        system.kill_all()
    again = new_system()
    again.ok("evcs", "restore", str(short_tmp / "old.backup"))
    again.up()
    eventually("the gateway listens", lambda: listens(again.ocpp_port))
    there = Site(again, site.cp)
    assert there.dial()[1:] == dialled[1:]
    with there.peer16() as peer:
        peer.boot()
        # It has not heard that these were answered; of the second the backup knows nothing.
        peer.end(open_.transaction_id, 1_450)
        peer.end(lost.transaction_id, 1_600)
        new = peer.begin(CARD, 1_600)
        assert new.transaction_id > lost.transaction_id
        peer.end(new.transaction_id, 1_900)
        tickets = there.tickets(3)
    assert [row["energy_wh"] for row in tickets] == [300, 150, 300]
