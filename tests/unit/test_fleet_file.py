"""fleet.toml: what is taken, what is refused with its line and key, and the way back."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import circuits, fleet_file
from evcs.core.desired import FIELDS
from evcs.core.errors import BadValue, Conflict

GOOD = b"""\
# a fleet
[[cp]]
id = "CP-001"
location = "Car park"
price_eur_kwh = "0.35"

[[cp]]
id = "CP-{010..012}"
max_power_w = 11000
service = "out"
"""


def test_good() -> None:
    found = fleet_file.parse(GOOD)["cp"]
    assert [one.id for one in found] == ["CP-001", "CP-010", "CP-011", "CP-012"]
    assert found[0].fields == {"location": "Car park", "price_eur_kwh": "0.35"}
    assert found[3].fields == {"max_power_w": 11000, "service": "out"}


BAD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "unknown key": (b'[[cp]]\nid = "A"\nprise = "1"\n', ("line 3", "'A'", "unknown key 'prise'")),
    "no host": (b'[[cp]]\nid = "A"\nhost = "../b"\n', ("line 3", "'A'", "host")),
    "unknown top key": (b"x = 1\n", ("line 1", "unknown key 'x'")),
    "unknown table": (b'[[cp]]\nid="A"\n[other]\n', ("line 3", "unknown key 'other'")),
    "id twice": (b'[[cp]]\nid="A1"\n[[cp]]\n\nid="a1"\n', ("line 5", "id a1", "line 2")),
    "id twice by a range": (
        b'[[cp]]\nid="A-{1..3}"\n[[cp]]\nid="A-2"\n',
        ("line 4", "A-2", "line 2"),
    ),
    "key twice": (b'[[cp]]\nid="A"\nid="B"\n', ("line 3",)),
    "id missing": (b'[[cp]]\n[[cp]]\nid="B"\n', ("line 1", "id is missing")),
    "id of the wrong type": (b"[[cp]]\nid = 7\n", ("line 2", "id", "7")),
    "bad id": (b'[[cp]]\nid = "../x"\n', ("line 2", "id", "../x")),
    "empty id": (b'[[cp]]\nid = ""\n', ("line 2", "id")),
    "reserved id": (b'[[cp]]\nid = "web"\n', ("line 2", "reserved")),
    "endless range": (b'[[cp]]\nid = "A{1..999999}"\n', ("line 2", "too long")),
    "price as a number": (b'[[cp]]\nid="A"\nprice_eur_kwh = 0.3\n', ("line 3", "price_eur_kwh")),
    "price nan": (b'[[cp]]\nid="A"\nprice_eur_kwh = nan\n', ("line 3", "price_eur_kwh")),
    "power as text": (b'[[cp]]\nid="A"\nmax_power_w="7"\n', ("line 3", "max_power_w")),
    "power as a bool": (b'[[cp]]\nid="A"\nmax_power_w=true\n', ("line 3", "max_power_w")),
    "power too high": (b'[[cp]]\nid="A"\nmax_power_w=1000001\n', ("line 3", "max_power_w")),
    "location as a date": (b'[[cp]]\nid="A"\nlocation=2026-01-01\n', ("line 3", "location")),
    "location as a table": (b'[[cp]]\nid="A"\n[cp.location]\nx=1\n', ("location",)),
    "service": (b'[[cp]]\nid="A"\nservice="maybe"\n', ("line 3", "service")),
    "revoked may not be given": (b'[[cp]]\nid="A"\nrevoked=true\n', ("line 3", "'revoked'")),
    "cp as one table": (b'[cp]\nid="A"\n', ("line 1", "list of tables")),
    "cp as numbers": (b"cp = [1]\n", ("line 1", "list of tables")),
    "inline": (b'cp = [{id="A"}, {id="B", x=1}]\n', ("cp number 2", "'B'", "'x'")),
    "a circuit without a name": (b"[[circuit]]\nmax_power_w = 1\n", ("line 1", "name is missing")),
    "a circuit's key": (b'[[circuit]]\nname="A"\nid="B"\n', ("line 3", "'A'", "key 'id'")),
    "a circuit's power": (b'[[circuit]]\nname="A"\nmax_power_w=1e9\n', ("line 3", "max_power_w")),
    "a circuit twice": (b'[[circuit]]\nname="A"\n[[circuit]]\nname="a"\n', ("line 4", "name a")),
    "circuit as one table": (b'[circuit]\nname="A"\n', ("line 1", "list of tables")),
    "a circuit that is none": (b'[[cp]]\nid="A"\ncircuit="a/b"\n', ("line 3", "circuit id")),
    "not TOML": (b"[[cp]]\nid = \n", ("line 2",)),
    "not UTF-8": (b'[[cp]]\nid = "\xff"\n', ("line 2", "UTF-8")),
    "NUL": (b'[[cp]]\nid = "A\0"\n', ("line 2",)),
    "deep": (b"x = " + b"[" * 100_000, ()),
    "a huge number": (b"[[cp]]\nid = " + b"9" * 10_000, ()),
}


@pytest.mark.parametrize("what", BAD)
def test_bad(what: str) -> None:
    raw, words = BAD[what]
    with pytest.raises(BadValue) as error:
        fleet_file.parse(raw)
    assert all(word in error.value.message for word in words), error.value.message
    assert len(error.value.message) < 300


def test_ten_megabytes_are_refused_at_once() -> None:
    raw = b'[[cp]]\nid = "A"\n' + b'location = "x"\n' * 700_000
    started = time.monotonic()
    with pytest.raises(BadValue) as error:
        fleet_file.parse(raw)
    assert time.monotonic() - started < 1
    assert "line 27" in error.value.message
    assert "too large" in error.value.message


def cp(name: str, **fields: Any) -> dict[str, Any]:
    base = {
        "id": name, "location": "", "price_eur_kwh": "0.30", "max_power_w": 22000,
        "service": "in", "host": "main", "hosting": "process",
    }  # fmt: skip
    return {**base, **fields}


def test_diff() -> None:
    now = [cp("CP-001"), cp("CP-010", max_power_w=11000, service="out"), cp("CP-099")]
    changes = fleet_file.diff(fleet_file.parse(GOOD)["cp"], now, prune=False)
    assert [one["id"] for one in changes.create] == ["CP-011", "CP-012"]
    assert changes.edit == {
        "CP-001": {"location": ("", "Car park"), "price_eur_kwh": ("0.30", "0.35")}
    }
    assert (changes.remove, changes.same) == ([], 1)
    assert fleet_file.diff(fleet_file.parse(GOOD)["cp"], now, prune=True).remove == ["CP-099"]


def test_an_id_in_another_case_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="line 3: CP-001 exists as cp-001"):
        fleet_file.diff(fleet_file.parse(GOOD)["cp"], [cp("cp-001")], prune=False)


texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)


@given(st.lists(texts, max_size=5))
def test_an_export_is_the_fleet_itself(locations: list[str]) -> None:
    cps = [cp(f"CP-{n}", location=text) for n, text in enumerate(locations)]
    text = fleet_file.render(cps, "main")
    assert text.replace("\n", "").isprintable(), "it may go to a terminal"
    found = fleet_file.parse(text.encode())["cp"]
    usual = {"host": "main", "hosting": "process"}
    assert [{**usual, **one.fields, "id": one.id} for one in found] == cps
    changes = fleet_file.diff(found, cps, prune=True)
    assert (changes.create, changes.edit, changes.remove) == ([], {}, [])


def test_every_field_is_exported() -> None:
    station = {"station": "S", "connector": 2, "ocpp_id": "DE*7", "circuit": "C",
               "backend": "ws://x", "ocpp": "1.6", "token": "T"}  # fmt: skip
    text = fleet_file.render([cp("A", hosting="another", **station)], "another")
    assert all(f"\n{key} = " in text for key in FIELDS)
    assert "station" not in fleet_file.render([cp("A", **dict.fromkeys(station))], "main")


def test_circuits_are_exported_with_every_field() -> None:
    there = [
        {"name": "A", "max_power_w": 9_000, "parent": "B", "other_load_w": 1},
        {"name": "B", "max_power_w": 0, "parent": None, "other_load_w": 0},
    ]
    text = fleet_file.render([cp("CP-1", circuit="A")], "main", there)
    assert all(f"\n{key} = " in text for key in circuits.FIELDS)
    found = fleet_file.parse(text.encode())
    assert [one.id for one in found["circuit"]] == ["A", "B"]
    changes = fleet_file.diff(found["circuit"], there, prune=True, key="name")
    assert (bool(changes), changes.same) == (False, 2)
    assert found["cp"][0].fields["circuit"] == "A"


def test_a_word_that_is_empty_takes_a_cp_out_of_its_circuit() -> None:
    found = fleet_file.parse(b'[[cp]]\nid = "A"\ncircuit = ""\n')["cp"]
    changes = fleet_file.diff(found, [cp("A", circuit="C"), cp("B", circuit="C")], prune=False)
    assert changes.edit == {"A": {"circuit": ("C", None)}}
    after = list(changes.applied([cp("A", circuit="C"), cp("B", circuit="C")], "id"))
    assert after == [cp("A", circuit=None), cp("B", circuit="C")]
    fleet_file.check_fit(after, [{"name": "C", "max_power_w": 4_140}])
    with pytest.raises(Conflict, match="CP B at its minimum of 4140 W"):
        fleet_file.check_fit(after, [{"name": "C", "max_power_w": 4_139}])
