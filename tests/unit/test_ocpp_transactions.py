"""Transactions of a charger: what is told twice, what can't be metered, what is kept."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp import registers
from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.room import most_wh

BEGUN = t.Begun("CARD", "2026-11-30T10:00:00Z", 1_000)


def begun(
    held: t.Held | None = None, told: t.Begun = BEGUN, number: int = 7
) -> t.Transaction:  # fmt: skip
    return t.begin(held or t.Held(), t.request_id("S", 1, told), lambda: number, told, 0.0)


def test_what_is_told_again_is_known_by_its_content() -> None:
    one = begun()
    held = t.Held().put(one)
    assert held.requested(t.request_id("S", 1, BEGUN._replace())) == one
    for other in (
        BEGUN._replace(tag="OTHER"), BEGUN._replace(at="2026-11-30T10:00:01Z"),
        BEGUN._replace(meter_wh=1_001), BEGUN._replace(key="A"),
    ):  # fmt: skip
        assert held.requested(t.request_id("S", 1, other)) is None
    assert held.requested(t.request_id("S", 2, BEGUN)) is None
    assert held.requested(t.request_id("T", 1, BEGUN)) is None


def test_the_charger_s_own_name_and_the_begin_are_all_of_its_content() -> None:
    named = BEGUN._replace(key="A")
    again = named._replace(tag="OTHER")
    assert t.request_id("S", 1, named) == t.request_id("S", 2, again)
    assert t.request_id("S", 1, named) != t.request_id("T", 1, named)
    for other in (named._replace(at="2026-11-30T10:00:01Z"), named._replace(meter_wh=5)):
        assert t.request_id("S", 1, named) != t.request_id("S", 1, other)


def test_a_name_that_is_used_again_is_another_charge_while_the_first_is_open_and_for_ever() -> None:
    first = BEGUN._replace(key="1", starts=True)
    held, numbers = t.Held(), itertools.count(1)
    for at in ("2026-11-30T10:00:00Z", "2026-11-30T11:00:00Z", "2026-11-30T12:00:00Z"):
        told = first._replace(at=at)
        request = t.request_id("S", 1, told)
        assert held.told(told, request) is None
        held = held.begun(t.begin(held, request, lambda: next(numbers), told, 0.0))
        latest = held.keyed("1")
        assert held.told(told, request) == latest == held.transactions[-1]
    assert len({one.request_id for one in held.transactions}) == 3
    for one in held.transactions:
        held = held.settle(one)
    assert held.keyed("1") == held.over[-1]
    plugged = held.plugged(first._replace(tag="", at="2026-11-30T13:00:00Z"))
    carded = plugged.uncarded_as(first._replace(at="2026-11-30T14:00:00Z"))
    assert carded.at == "2026-11-30T14:00:00Z"


def test_a_start_from_afar_becomes_the_transaction_that_names_its_session() -> None:
    remote = t.Transaction(3, "remote-x", t.Phase.REMOTE, "261130-0123456789ab", target_wh=500)
    held = t.Held().put(remote)
    one = begun(held, BEGUN._replace(tag="261130-0123456789ab"))
    assert (one.id, one.session_id, one.target_wh, one.phase) == (
        3, remote.session_id, 500, t.Phase.ASKED,
    )  # fmt: skip
    assert held.put(one).transactions == (one,)
    assert begun(held).id == 7


@pytest.mark.parametrize(
    ("register_wh", "expected"),
    [
        (1_000, 0), (3_500, 2_500), (400, 400),  # from 0 in each charge
        (-1, None), (10**12 + 1, None), (50_000_000, None),  # a jump
    ],
)  # fmt: skip
def test_energy_by_the_register(register_wh: int, expected: int | None) -> None:
    assert registers.energy(begun(), register_wh, most_wh(11_000, 3_600.0)) == expected


def test_a_register_that_falls_takes_nothing_back() -> None:
    one = t.metered(begun(), 2_000)
    assert registers.energy(one, 2_500, 100_000) is None
    assert t.ended(one, None, "stopped").energy_wh == 2_000


def test_what_began_before_a_card_was_shown() -> None:
    first = t.Begun("", "2026-11-30T10:00:00Z", t.UNTOLD, "A")
    held = t.Held().plugged(first).plugged(first._replace(at="later", meter_wh=50))
    held = held.plugged(first._replace(at="later", meter_wh=70)).plugged(first._replace(key="B"))
    assert t.from_record(json.loads(json.dumps(t.to_record(held)))) == held
    told = held.uncarded_as(t.Begun("CARD", "later still", 90, "A"))
    assert told == t.Begun("CARD", first.at, 50, "A")
    assert held.uncarded_as(BEGUN) == BEGUN
    known = held.put(begun(held, told))
    assert [one.key for one in known.uncarded] == ["B"]
    assert known.plugged(told) == known
    for number in range(50):
        held = held.plugged(first._replace(key=str(number)))
    assert len(held.uncarded) == t.MOST_UNCARDED


def test_without_a_begin_the_first_reading_is_one() -> None:
    one = begun(told=BEGUN._replace(meter_wh=t.UNTOLD))
    assert registers.energy(one, 4_000_000, 10**9) is None
    read = registers.from_register(registers.from_register(one, 4_000_000), 4_000_100)
    assert registers.energy(read, 4_000_100, 1_000) == 100


def test_what_is_over_is_still_known() -> None:
    one = t.answered(begun(), "261130-0123456789ab", "accepted")
    held = t.Held().put(one).settle(t.ended(one, 500, "stopped"))
    assert held.transactions == ()
    over = held.requested(one.request_id)
    assert isinstance(over, t.Over)
    assert (over.id, over.status) == (one.id, "accepted")
    assert held.numbered(7) == held.of_session(over.session_id) == over


def test_only_so_many_are_remembered() -> None:
    held, numbers = t.Held(), itertools.count(1)
    for number in range(t.REMEMBERED + 5):
        told = BEGUN._replace(meter_wh=number)
        one = t.begin(held, t.request_id("S", 1, told), lambda: next(numbers), told, 0.0)
        held = held.put(one).settle(t.ended(one, 0, "stopped"))
    assert len(held.over) == t.REMEMBERED
    assert held.over[-1].id == t.REMEMBERED + 5


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner:
                    st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_no_record_of_others_is_taken(value: object) -> None:
    record = value if isinstance(value, dict) else {"format": 1, "transactions": value}
    if t.is_record(record):
        assert t.from_record(record) is not None


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=20))
def test_a_record_holds_all_of_it(charges: list[tuple[int, int]]) -> None:
    held, numbers = t.Held(), itertools.count(1)
    for meter, energy in charges:
        told = BEGUN._replace(meter_wh=meter)
        request = t.request_id("S", 1, told)
        one = t.metered(
            t.begin(held, request, lambda: next(numbers), told, 1.5), energy
        )  # fmt: skip
        held = held.put(one) if energy % 2 else held.put(one).settle(one)
    record = json.loads(json.dumps(t.to_record(held)))
    assert t.is_record(record)
    assert t.from_record(record) == held


@given(st.lists(st.integers(-(10**6), 10**7), max_size=30), st.integers(0, 10**6))
def test_energy_never_falls_and_is_never_impossible(readings: list[int], meter: int) -> None:
    one = begun(told=BEGUN._replace(meter_wh=meter))
    most = most_wh(22_000, 3_600.0)
    for register in readings:
        found = registers.energy(one, register, most)
        if found is not None:
            after = t.metered(one, found)
            assert one.energy_wh <= after.energy_wh <= most
            one = after
