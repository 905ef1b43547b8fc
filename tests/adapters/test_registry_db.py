from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from evcs.adapters.registry_db import NAMED_SINCE, RegistryDb, peek
from evcs.core.errors import EvcsError
from evcs.core.hosts import Host
from evcs.core.messages import Circuit, DesiredCp, DesiredDriver
from tests.adapters.conftest import Disk
from tests.records import kept


def cp(name: str, location: str = "", revision: int = 1) -> DesiredCp:
    return kept(name, location=location, revision=revision)


def driver(name: str, *tags: str) -> DesiredDriver:
    return DesiredDriver(name, name, tags)


ALICE, BOB = driver("ALICE"), driver("BOB", "04A2", "7")


def filled(path: Path) -> RegistryDb:
    db = RegistryDb(path)
    db.commit(1, [cp("CP-1", "old")], drivers=[driver("ALICE")])
    db.commit(2, [cp("CP-1", "now é 🔌"), cp("CP-2")], drivers=[driver("BOB", "04A2", "7")])
    return db


def content(path: Path) -> tuple[dict[str, DesiredCp], dict[str, DesiredDriver], int]:
    """What a new process finds."""
    db = RegistryDb(path)
    return db.cps(), db.drivers(), db.revision()


def test_an_empty_store_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    assert not RegistryDb.exists(path)
    assert content(path) == ({}, {}, 0)


def test_what_is_committed_is_there_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    cps, drivers, revision = content(path)
    assert set(cps) == {"CP-1", "CP-2"}
    assert cps["CP-1"].location == "now é 🔌"
    assert (drivers, revision) == ({"ALICE": ALICE, "BOB": BOB}, 2)


def test_a_commit_takes_away_what_is_gone_and_keeps_counting(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    db = filled(path)
    db.commit(3, gone=["CP-1", "CP-2", "CP-9"], drivers_gone=["ALICE"])
    assert content(path) == ({}, {"BOB": BOB}, 3)


def test_the_revision_outlives_the_cps_it_was_given_to(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    db, seen = RegistryDb(path), [0]
    for number in range(1, 6):
        db.commit(number, [cp("CP-1", revision=number)])
        db = RegistryDb(path)
        db.commit(db.revision() + 1, gone=["CP-1"])
        seen.append(RegistryDb(path).revision())
        assert seen[-1] > seen[-2]


@pytest.mark.parametrize("harm", ["empty", "missing", "zeros", "another"])
def test_a_ruined_file_is_replaced_by_the_last_commit(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    good, whole = content(path), path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        made = {"empty": b"", "zeros": bytes(len(whole)), "another": b'{"_default": {}}'}
        path.write_bytes(made[harm])
    assert content(path) == good
    assert path.read_bytes() == whole


def test_truncated_at_any_byte_the_last_commit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    good, whole = content(path), path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        assert content(path) == good


def test_any_flipped_bit_is_seen_and_the_last_commit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    good, whole = content(path), path.read_bytes()
    for index in range(len(whole)):
        harmed = bytearray(whole)
        harmed[index] ^= 1 << index % 8
        path.write_bytes(harmed)
        assert content(path) == good
        assert path.read_bytes() == whole, "the file was not put right"


def test_a_number_changed_by_hand_is_seen_too(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    good, found = content(path), json.loads(path.read_bytes())
    found["tables"]["cps"].popitem()
    path.write_text(json.dumps(found))
    assert content(path) == good


def test_without_a_good_copy_it_refuses_rather_than_start_empty(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    for one in tmp_path.iterdir():
        one.write_bytes(one.read_bytes()[:-9])
    before = {one: one.read_bytes() for one in tmp_path.iterdir()}
    with pytest.raises(EvcsError, match="neither"):
        content(path)
    assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("room", [0, 4_096, 8_192, 12_288, 16_384, 20_480, 24_576])
def test_on_a_full_disk_a_change_is_refused_whole_or_made_whole(disk: Disk, room: int) -> None:
    path = disk.path / "registry.json"
    db = filled(path)
    before = content(path)
    disk.fill(leave=room)
    change = [cp(f"CP-{number}", "x" * 200) for number in range(10, 35)]
    refused = False
    try:
        db.commit(3, change)
    except EvcsError:
        refused = True
    after = ({**before[0], **{one.id: one for one in change}}, before[1], 3)
    expected = before if refused else after
    assert (db.cps(), db.drivers(), db.revision()) == expected
    assert content(path) == expected
    disk.make_room()
    db.commit(3, change)
    assert content(path) == after


def test_a_change_that_a_full_disk_refused_says_what_to_do(disk: Disk) -> None:
    db = filled(disk.path / "registry.json")
    disk.fill()
    with pytest.raises(EvcsError, match="can't be written") as error:
        db.commit(3, [cp("CP-3", "x" * 200)])
    assert "room" in error.value.hint


@pytest.mark.parametrize("name", ["registry.json", "registry.copy.json"])
def test_a_change_that_either_file_refuses_is_refused_whole(tmp_path: Path, name: str) -> None:
    db = filled(tmp_path / "registry.json")
    before = content(tmp_path / "registry.json")
    path = tmp_path / name
    kept = path.read_bytes()
    path.unlink()
    path.mkdir()  # no rename puts a file there
    with pytest.raises(EvcsError):
        db.commit(3, [cp("CP-3")])
    path.rmdir()
    path.write_bytes(kept)
    assert content(tmp_path / "registry.json") == before
    assert (db.cps(), db.drivers(), db.revision()) == before


def test_a_store_of_a_newer_format_is_left_alone_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    filled(path)
    for one in path.parent.glob("registry*.json"):
        one.write_text(one.read_text().replace('{"format":6,', '{"format":7,', 1))
    before = path.read_bytes()
    for look in (RegistryDb(path).cps, lambda: peek(path)):
        with pytest.raises(EvcsError, match="newer format") as error:
            look()
        assert error.value.hint == "upgrade evcs"
    assert path.read_bytes() == before


#: What the version before wrote, to the byte.
FORMAT_1 = (
    '{"meta":{"2":{"revision":7}},'
    '"cps":{"1":{"id":"CP-1","service":"in","price_eur_kwh":"0.41","max_power_w":11000,'
    '"location":"yard é","host":"main","revoked":false,"deleted":false,"revision":5},'
    '"2":{"id":"CP-2","service":"out","price_eur_kwh":"0.30","max_power_w":22000,'
    '"location":"","host":"main","revoked":true,"deleted":true,"revision":7}},'
    '"drivers":{"1":{"id":"ALICE"}}}'
)


#: What version 2 added, to the byte.
PLACED = (
    '"prices":[["1970-01-01T00:00:00.000Z","0.41"]],"hosting":"pool","pool":3,"placement":"token",'
    '"previous_host":null,"previous_placement":null,'
)
FORMAT_2 = (
    '{"cps":{"1":{"id":"CP-1","service":"in","price_eur_kwh":"0.41","max_power_w":11000,'
    f'"location":"yard",{PLACED}"host":"main","revoked":false,"deleted":false,"revision":5}}}},'
    '"drivers":{"1":{"id":"ALICE"}},"meta":{"1":{"revision":7}}}'
)


def test_a_store_of_format_2_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(of_format_1(FORMAT_2, 2))
    cps, drivers, revision = content(path)
    (cp,) = cps.values()
    assert (cp.hosting, cp.pool, cp.placement, cp.prices[-1][1]) == ("pool", 3, "token", "0.41")
    assert (cp.station, cp.connector, cp.ocpp_id) == (None, None, None)
    assert (drivers, revision) == ({"ALICE": ALICE}, 7)
    assert path.read_text().startswith('{"format":6,')


#: What version 3 added, to the byte.
CHARGER = '"station":"S","connector":1,"ocpp_id":"S",'
FORMAT_3 = (
    FORMAT_2.replace('"location"', f'{CHARGER}"location"')
    .replace('"hosting":"pool","pool":3', '"hosting":"ocpp","pool":null')
    .replace('"id":"ALICE"', '"id":"ALICE","tags":["x"]')
)


def test_a_store_of_format_3_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(of_format_1(FORMAT_3, 3))
    cps, drivers, revision = content(path)
    (cp,) = cps.values()
    assert (cp.station, cp.circuit, cp.fallback_w) == ("S", None, None)
    assert (drivers, revision) == ({"ALICE": driver("ALICE", "x")}, 7)
    assert RegistryDb(path).circuits() == {}
    assert path.read_text().startswith('{"format":6,')


#: What version 4 added, to the byte.
FORMAT_4 = FORMAT_3.replace('"location"', '"circuit":null,"fallback_w":null,"location"').replace(
    '"meta"', '"circuits":{},"meta"'
)


def test_a_store_of_format_4_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(of_format_1(FORMAT_4, 4))
    (cp,) = content(path)[0].values()
    assert (cp.backend, cp.ocpp, cp.token) == (None, None, None)
    assert path.read_text().startswith('{"format":6,')


def test_back_ends_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    out = kept("CP-1", revision=1, backend="ws://x/{id}", ocpp="1.6", token="T", ocpp_id="S*1")
    RegistryDb(path).commit(1, [out])
    assert RegistryDb(path).cps()["CP-1"] == out


def test_circuits_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    roof, garage = Circuit("roof", 44_000, None, 10_000), Circuit("garage", 22_000, "roof")
    db = RegistryDb(path)
    db.commit(1, [kept("CP-1", revision=1, circuit="garage", fallback_w=4_140)],
              circuits=[roof, garage, Circuit("old", 1)])  # fmt: skip
    db.commit(2, circuits=[garage._replace(max_power_w=11_000)], circuits_gone=["old"])
    found = RegistryDb(path)
    assert found.circuits() == {"roof": roof, "garage": garage._replace(max_power_w=11_000)}
    assert found.cps()["CP-1"].circuit == "garage"


def test_hosts_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    at = "2026-11-30T09:00:00.000Z"
    invited, there = Host("h3", "0" * 64, at), Host("h2", None, None, at)
    RegistryDb(path).commit(1, hosts=[invited, there, Host("old", None, None, at)])
    RegistryDb(path).commit(2, hosts=[invited._replace(joined_at=at)], hosts_gone=["old"])
    assert RegistryDb(path).hosts() == {"h3": invited._replace(joined_at=at), "h2": there}


#: What version 5 added, to the byte; it has no hosts.
FORMAT_5 = FORMAT_4.replace('"location"', '"backend":null,"ocpp":null,"token":null,"location"')


def test_a_store_of_format_5_has_no_hosts(tmp_path: Path) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(of_format_1(FORMAT_5, 5))
    content(path)
    assert RegistryDb(path).hosts() == {}
    assert path.read_text().startswith('{"format":6,')


def of_format_1(text: str = FORMAT_1, number: int = 1) -> bytes:
    named = f"{number}{text}" if number >= NAMED_SINCE else text
    digest = hashlib.sha256(named.encode()).hexdigest()
    return f'{{"format":{number},"sha256":"{digest}","tables":{text}}}\n'.encode()


@pytest.mark.parametrize("killed_after", ["nothing", "its copy", "all"])
@pytest.mark.parametrize("which", ["both", "the file alone", "the copy alone"])
def test_a_store_of_format_1_is_migrated(tmp_path: Path, which: str, killed_after: str) -> None:
    path, copy = tmp_path / "registry.json", tmp_path / "registry.copy.json"
    for one, left_out in ((path, "the copy alone"), (copy, "the file alone")):
        if which != left_out:
            one.write_bytes(of_format_1())
    seen, _ = peek(path)
    assert seen is not None
    if killed_after != "nothing":
        RegistryDb(path).cps()
    if killed_after == "its copy":
        path.write_bytes(of_format_1())
    cps, drivers, revision = content(path)
    assert (cps, drivers, {}, {}, revision) == seen
    first, second = cps["CP-1"], cps["CP-2"]
    assert (first.location, first.price_eur_kwh, first.max_power_w) == ("yard é", "0.41", 11_000)
    assert first.prices == (("1970-01-01T00:00:00.000Z", "0.41"),)
    assert (first.hosting, first.pool, first.placement) == ("process", None, "first-5")
    assert (second.deleted, second.revoked, second.placement) == (True, True, "first-7")
    assert (drivers, revision) == ({"ALICE": ALICE}, 7)
    assert (first.station, first.connector, first.ocpp_id) == (None, None, None)
    for one in (path, copy):
        assert one.read_text().startswith('{"format":6,')


@pytest.mark.parametrize("harm", ['"id":"CP-1"', '"price_eur_kwh":"0.41",', '"service":"in"'])
def test_a_store_of_format_1_is_judged_as_one_of_today(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "registry.json"
    path.write_bytes(
        of_format_1(FORMAT_1.replace(harm, '"more":1,' if harm[-1] == "," else '"x":1'))
    )
    with pytest.raises(EvcsError, match="it is not valid"):
        RegistryDb(path).cps()
