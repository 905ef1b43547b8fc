from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import back_ends, desired, topics, units
from evcs.core.errors import BadValue, Conflict
from evcs.core.ids import check_id

NAN = float("nan")
BAD_FIELDS: list[tuple[str, Any]] = [
    *(("location", bad) for bad in (1, None, True, ["x"], "x" * 201, "a\0b", "\ud800")),
    *(
        ("price_eur_kwh", bad)
        for bad in (0.3, 1, NAN, True, None, "NaN", "-1", "1e3", "", "\u0663")
    ),
    *(("max_power_w", bad) for bad in (0, -1, 1_000_001, 1e308, NAN, "1", True, None, 7.5)),
    *(("service", bad) for bad in ("IN", "", True, None, 1, ["in"], {"in": 1})),
    *(("host", bad) for bad in ("", "a b", "../x", None, 1)),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS, ids=ascii)
def test_a_bad_field_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(BadValue, match=field):
        desired.new_cp({"id": "CP-001", field: value})
    with pytest.raises(BadValue, match=field):
        desired.edited(desired.new_cp({"id": "CP-001"}), {field: value})


@pytest.mark.parametrize(("check", "form"), [
    (lambda: units.price("--price-eur-kwh", "0,35"), "with a point: 0.35;"),
    (lambda: units.thousands("--kwh", "7,4", 1_000_000), "with a point: 7.4;"),
    (lambda: desired.tag(" 04A2"), "such as 04A1B2C3"),
    (lambda: check_id("CP", "CP 1"), "such as CP-001"),
    (lambda: check_id("driver", "J\u00f6rg"), "such as ALICE"),
])  # fmt: skip
def test_what_is_wrongly_written_is_shown_rightly_written(
    check: Callable[[], object], form: str
) -> None:
    with pytest.raises(BadValue) as refused:
        check()
    assert form in refused.value.hint


@pytest.mark.parametrize("field", ["price", "revision", "revoked", "deleted", "", "\n", "id\0"])
def test_an_unknown_field_is_refused_not_ignored(field: str) -> None:
    with pytest.raises(BadValue, match="unknown field"):
        desired.new_cp({"id": "CP-001", field: "x"})


@pytest.mark.parametrize("value", [None, [], "CP-001", 1, True])
def test_what_is_no_object_is_refused(value: object) -> None:
    for rule in (desired.new_cp, desired.driver_id):
        with pytest.raises(BadValue):
            rule(value)


def test_a_new_cp_has_the_contracts_defaults() -> None:
    made = desired.to_json(desired.new_cp({"id": "CP-001"}), desired.FOR_OPERATOR)
    assert made == {
        "id": "CP-001", "service": "in", "price_eur_kwh": "0.30", "max_power_w": 22_000,
        "location": "", "host": "main", "revoked": False, "deleted": False, "revision": 0,
        "hosting": "process", "pool": None, "moving": False, "station": None, "connector": None,
        "ocpp_id": None, "circuit": None, "fallback_w": None, "backend": None, "ocpp": None,
        "token": None,
    }  # fmt: skip


@pytest.mark.parametrize("given_", [{}, {"id": ""}, {"id": "Central"}, {"id": 1}, {"id": "a\n"}])
def test_a_new_cp_needs_a_good_id(given_: dict[str, object]) -> None:
    with pytest.raises(BadValue, match="id"):
        desired.new_cp(given_)


def test_an_id_can_not_be_edited() -> None:
    with pytest.raises(BadValue, match="unknown field 'id'"):
        desired.edited(desired.new_cp({"id": "CP-001"}), {"id": "CP-002"})


@pytest.mark.parametrize("text", ['"', "\n", "%", ";", "[group:x]", "<b>", "é", "🔌", "x" * 200])
def test_any_text_is_a_location_and_is_kept_as_it_is(text: str) -> None:
    assert desired.new_cp({"id": "CP-001", "location": text}).location == text


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "location": st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9),
            "price_eur_kwh": st.sampled_from(["0", "0.30", "12.3456"]),
            "max_power_w": st.integers(1, 1_000_000),
            "service": st.sampled_from(["in", "out"]),
            "host": st.just("main"),
        },
    )
)
def test_an_edit_changes_what_it_names_and_nothing_else(change: dict[str, Any]) -> None:
    before = desired.new_cp({"id": "CP-001", "location": "here"})
    after = desired.to_json(desired.edited(before, change))
    assert after == {**desired.to_json(before), **change}


@pytest.mark.parametrize("given_", [{}, {"id": "A", "x": 1}, {"name": "A"}, {"id": "a b"}])
def test_a_driver_is_an_id_and_nothing_else(given_: dict[str, object]) -> None:
    with pytest.raises(BadValue):
        desired.driver_id(given_)
    assert desired.driver_id({"id": "ALICE"}) == "ALICE"


BAD_STATIONS: list[tuple[str, Any]] = [
    *(("station", bad) for bad in ("", "a/b", "x" * 33, 1, None)),
    *(("connector", bad) for bad in (0, 100, True, "1", None)),
    *(("ocpp_id", bad) for bad in ("", "..", ".", "a b", "a/b", "x" * 49, "\u00e9", None)),
]


@pytest.mark.parametrize(("field", "value"), BAD_STATIONS, ids=ascii)
def test_a_station_that_is_none_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(BadValue, match=field):
        desired.new_cp({"id": "CP-001", "hosting": "ocpp", field: value})


@pytest.mark.parametrize(("field", "value"), [("station", "S"), ("connector", 1), ("ocpp_id", "S")])
def test_only_a_real_charger_has_a_station(field: str, value: object) -> None:
    with pytest.raises(BadValue, match=field):
        desired.new_cp({"id": "CP-001", field: value})


@pytest.mark.parametrize("change", [{"hosting": "pool"}, {"station": "S"}, {"connector": 2}])
def test_another_charger_is_another_cp(change: dict[str, object]) -> None:
    cp = desired.new_cp({"id": "CP-001", "hosting": "ocpp"})
    with pytest.raises(Conflict):
        desired.edited(cp, change)
    with pytest.raises(Conflict):
        desired.edited(desired.new_cp({"id": "CP-001"}), {"hosting": "ocpp"})
    assert desired.edited(cp, {"station": "CP-001", "location": "x"}).location == "x"


@pytest.mark.parametrize("tag", ["", " a", "a ", "x" * 37, "a\n", 7, None, ["a"]])
def test_a_tag_is_so_many_printed_characters(tag: object) -> None:
    with pytest.raises(BadValue, match="tag"):
        desired.tag_change({"add_tags": [tag]})


PEM = "-----BEGIN CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----"
BACK_END = "wss://example.org/ocpp/{id}"


def test_a_charger_of_a_back_end_has_defaults_and_keeps_them() -> None:
    made = desired.new_cp({"id": "CP-1", "backend": BACK_END})
    assert (made.backend, made.ocpp, made.ocpp_id, made.token) == (BACK_END, "1.6", "CP-1", None)
    of = back_ends.of(made._replace(ocpp_id="DE*1"))
    assert of is not None
    assert of.dialled() == "wss://example.org/ocpp/DE*1"
    assert of._replace(url="ws://x/y/").dialled() == "ws://x/y/DE*1"
    assert back_ends.parse(back_ends.render(of).encode()) == of
    for change in (
        {"backend": "ws://y"},
        {"token": "T"},
        {"host": "h2"},
        {"service": "out"},
        {"circuit": "C"},
    ):
        with pytest.raises(Conflict):
            desired.edited(made, change)
    assert desired.edited(made, {"max_power_w": 7_400}).max_power_w == 7_400


@pytest.mark.parametrize(
    "given",
    [
        {"backend": ""}, {"backend": "http://x"}, {"backend": "ws://"}, {"backend": "ws://x:99999"},
        {"backend": "ws://u:p@x"}, {"backend": "ws://x/\n"}, {"backend": "ws://x/#f"},
        {"backend": "ws://exa_mple..com/"}, {"backend": f"ws://{'x' * 64}.org"},
        {"backend": BACK_END, "service": "out"}, {"backend": "ws://x/" + "y" * 122},
        {"backend": "ws://é"}, {"backend": 1},
        {"backend": BACK_END, "ocpp": "2.1"},
        {"backend": BACK_END, "hosting": "ocpp"}, {"backend": BACK_END, "circuit": "C"},
        {"backend": BACK_END, "token": "x" * 21}, {"token": "T"}, {"ocpp": "1.6"},
        {"backend_ca": PEM}, {"backend": "ws://x", "backend_ca": PEM},
        {"backend": "ws://x", "backend_certificate": PEM},
        {"ocpp_id": "X"}, {"ocpp_password": "x"}, {"backend": BACK_END, "station": "S"},
    ],
)  # fmt: skip
def test_what_no_back_end_can_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(BadValue):
        desired.new_cp({"id": "CP-1", **given})


def test_the_longest_that_is_allowed_can_be_told() -> None:
    made = desired.new_cp({
        "id": "C" * 32, "location": "\N{CRESCENT MOON}" * 100, "backend": "ws://x/" + "y" * 121,
        "ocpp": "2.0.1", "ocpp_id": "Z" * 48, "token": "t" * 20,
    })  # fmt: skip
    told = topics.encode(made, "2026-11-30T07:00:00Z")
    assert topics.decode(told.topic, told.payload) == made


def test_what_it_dials_with_is_kept_apart() -> None:
    given = {
        "id": "CP-1", "ocpp_password": "s", "backend_ca": PEM, "backend_certificate": KEY + PEM,
    }  # fmt: skip
    assert back_ends.secrets("CP-1", given) == {
        "cp/CP-1/backend": "s", "cp/CP-1/backend.ca": PEM, "cp/CP-1/backend.pem": KEY + PEM,
    }  # fmt: skip
    for wrong in (
        {"ocpp_password": "x" * 41}, {"backend_ca": "none"}, {"backend_ca": 1},
        {"backend_certificate": PEM}, {"backend_ca": PEM + "x" * back_ends.MAX_PEM},
    ):  # fmt: skip
        with pytest.raises(BadValue):
            back_ends.secrets("CP-1", wrong)
