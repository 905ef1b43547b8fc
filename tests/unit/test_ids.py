from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import ids
from evcs.core.errors import BadValue

LETTERS = string.ascii_letters + string.digits
BAD_IDS: list[object] = [
    "", " ", "../x", "..", ".", "a/b", "a\nb", "CP-001\n", "\nCP-001", "a%b", "a#b", "a+b", "a]b",
    "[a", "a;b", 'a"b', "a'b", "a\0b", "a b", "CP.001",
    "ÄÖ", "\u0421\u0420-001", "CP-\u0660\u0661", "--help", "-h",
    "_a", "x" * 33, "x" * 5000, "a\u200b", "a\ud800", "{1..3}", None, 1, True, ["CP-001"], {},
]  # fmt: skip


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", fullmatch=True))
def test_an_id_is_given_back_as_it_is(value: str) -> None:
    assert ids.check_id("driver", value) == value


@pytest.mark.parametrize("value", BAD_IDS, ids=ascii)
def test_anything_else_is_refused_in_one_short_ascii_line(value: object) -> None:
    assert not ids.is_id(value)
    with pytest.raises(BadValue) as error:
        ids.check_id("CP", value)
    text = f"{error.value.message}; {error.value.hint}"
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 200
    assert ids.ALLOWED in text


@given(st.text(max_size=40))
def test_every_accepted_text_is_made_of_the_contracts_characters(value: str) -> None:
    rule = 1 <= len(value) <= 32 and value[0] in LETTERS and set(value) <= set(LETTERS + "_-")
    assert ids.is_id(value) == rule


@pytest.mark.parametrize("name", sorted(ids.RESERVED))
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_a_cp_may_not_be_named_like_a_service(name: str, spell: object) -> None:
    assert callable(spell)
    with pytest.raises(BadValue, match="is reserved"):
        ids.check_id("CP", spell(name))
    assert ids.check_id("driver", spell(name))


def test_ids_are_the_same_whatever_their_case() -> None:
    assert ids.same("cp-00A") == ids.same("CP-00a")
    assert ids.same("CP-001") != ids.same("CP-01")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("CP-001", ["CP-001"]),
        ("CP-{001..003}", ["CP-001", "CP-002", "CP-003"]),
        ("CP-{9..11}", ["CP-9", "CP-10", "CP-11"]),
        ("CP-{08..10}", ["CP-08", "CP-09", "CP-10"]),
        ("{7..7}", ["7"]),
        ("{1..2}-{1..2}", ["1-1", "1-2", "2-1", "2-2"]),
        ("CP-{1..}", ["CP-{1..}"]),
        ("CP-{a..c}", ["CP-{a..c}"]),
    ],
)
def test_a_pattern_is_spelled_out(pattern: str, names: list[str]) -> None:
    assert ids.expand(pattern) == names


@pytest.mark.parametrize(
    "pattern",
    [
        "{3..1}",
        "{0..10000}",
        "{0..999999999}",
        "{0..9999}{0..9999}",
        "{0..999}-{0..10}",
        "{0..99}" * 800,
        "{1..10000}" + "{1..1}" * 790,
        "{1..1}" * 2_000,
        "x" * (ids.MAX_PATTERN + 1),
        "x" * (ids.MAX_PATTERN - 9) + "{1..9999}",
    ],
)
def test_a_pattern_that_runs_backwards_or_is_too_long_is_refused(pattern: str) -> None:
    with pytest.raises(BadValue):
        ids.expand(pattern)


@pytest.mark.parametrize(
    "typed",
    ["CP-1..40", "CP-1...40", "CP-[1..40]", "CP-(1-40)", "CP-{1-40}", "CP-{1..40", "CP-1..40}"],
)
def test_what_is_nearly_a_range_is_known_as_that(typed: str) -> None:
    assert ids.range_meant(typed) == "CP-{1..40}"
    with pytest.raises(BadValue) as error:
        ids.check_id("CP", typed)
    assert error.value.hint.startswith(f"did you mean 'CP-{{1..40}}'? allowed: {ids.ALLOWED}")


@pytest.mark.parametrize(
    "typed",
    [
        "CP-001",
        "CP-1-40",
        "CP-{1..40}",
        "CP-40..1",
        "../x",
        "CP-..",
        "1" * 500,
        "CP-\u0661..\u0663",
    ],
)
def test_what_is_no_range(typed: str) -> None:
    assert ids.range_meant(typed) is None


def test_every_id_can_be_spelled_by_ranges_alone() -> None:
    assert ids.expand("{1..1}" * 32) == ["1" * 32]


def test_as_many_of_the_longest_ids_as_there_may_be_can_be_spelled() -> None:
    found = ids.expand("X" * 27 + "{00001..10000}")
    assert len(found) == ids.MAX_EXPANSION
    assert all(map(ids.is_id, found))


def test_only_plain_digits_make_a_range() -> None:
    assert ids.expand("CP-{\u0661..\u0663}") == ["CP-{\u0661..\u0663}"]
