from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import circuits
from evcs.core.circuits import Circuit, check, fallbacks, path
from evcs.core.errors import EvcsError
from evcs.core.limits import minimum_power_w
from evcs.core.messages import DesiredCp
from tests.records import kept


def tree(*found: Circuit) -> dict[str, Circuit]:
    return {one.name: one for one in found}


def cp(name: str, circuit: str | None = "C", kw: float = 22, **fields: Any) -> DesiredCp:
    return kept(name, circuit=circuit, max_power_w=int(kw * 1000), **fields)


@pytest.mark.parametrize(
    ("max_power_w", "least_w"),
    [(3_700, 1_380), (7_360, 1_380), (7_400, 1_380), (7_401, 4_140), (22_000, 4_140),
     (1_000, 1_000)],
)  # fmt: skip
def test_the_minimum_is_6_a_on_each_phase(max_power_w: int, least_w: int) -> None:
    assert minimum_power_w(max_power_w) == least_w


def test_a_tree_into_which_all_fit_is_well() -> None:
    found = tree(Circuit("roof", 44_000, None, 20_000), Circuit("C", 22_000, "roof"))
    check(found, [cp("CP-1"), cp("CP-2", None), cp("CP-3", "roof", 7.4)])
    assert path(found, "C") == ("C", "roof")


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (tree(Circuit("C", 9_000, "C")), "feed itself"),
        (
            tree(Circuit("C", 9_000, "a"), Circuit("a", 9_000, "b"), Circuit("b", 9_000, "a")),
            "feed",
        ),
        (tree(Circuit("C", 9_000, "roof")), "no circuit roof"),
        (tree(), "no circuit C"),
        (tree(Circuit("C", 4_139)), "4139 W does not carry CP CP-1 at its minimum of 4140 W"),
        (tree(Circuit("C", 9_000, None, 5_000)), "9000 W less 5000 W of other loads"),
        (
            tree(Circuit("C", 9_000, "r"), Circuit("r", 9_000), Circuit("x", 9_000, "r", 5_000)),
            "circuit r is too small",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_figures(
    found: dict[str, Circuit], word: str
) -> None:
    with pytest.raises(EvcsError, match=word):
        check(found, [cp("CP-1")])


def test_a_circuit_of_0_w_is_off_and_nobody_below_it_has_a_fallback() -> None:
    found = tree(Circuit("r", 0, None, 500), Circuit("C", 22_000, "r"), Circuit("D", 22_000))
    fleet = [cp("CP-1", fallback_w=4_140), cp("CP-2", "D")]
    check(found, fleet)
    assert fallbacks(found, fleet) == {"CP-1": 0, "CP-2": 4_140}


def test_who_has_a_fallback_keeps_it_and_who_comes_has_what_is_left() -> None:
    found = tree(Circuit("C", 10_000))
    old = [cp("CP-8", fallback_w=4_140), cp("CP-9", fallback_w=4_140)]
    assert fallbacks(found, [cp("CP-1"), *old]) == {"CP-1": 0, "CP-8": 4_140, "CP-9": 4_140}
    assert fallbacks(found, [cp("CP-1", kw=7), *old])["CP-1"] == 1_380
    assert fallbacks(tree(Circuit("C", 6_000)), old) == {"CP-8": 4_140, "CP-9": 0}


def test_real_chargers_keep_half_of_a_circuit_at_most() -> None:
    """Of what is kept for those that stand idle nobody else has anything."""
    found = tree(Circuit("C", 44_000))
    fleet = [cp(f"CP-{number}", hosting="ocpp") for number in range(10, 30)]
    chosen = fallbacks(found, fleet)
    assert [name for name, power_w in chosen.items() if power_w] == [
        f"CP-{n}" for n in range(10, 15)
    ]


NAMES = "abcdef"


@st.composite
def sites(draw: st.DrawFn) -> tuple[dict[str, Circuit], list[DesiredCp]]:
    """A forest of circuits, and CPs that fit into it each by itself."""
    found: dict[str, Circuit] = {}
    for name in NAMES[: draw(st.integers(1, len(NAMES)))]:
        parent = draw(st.none() | st.sampled_from(sorted(found))) if found else None
        power, other = draw(st.integers(0, 60_000)), draw(st.integers(0, 20_000))
        found[name] = Circuit(name, power, parent, other)
    room, fleet = circuits.rooms(found), []
    for number in range(draw(st.integers(0, 12))):
        one = cp(f"CP-{number}", draw(st.sampled_from(sorted(found))), draw(st.integers(1, 22)),
                 fallback_w=draw(st.sampled_from([None, 0, 1_380, 4_140])),
                 hosting=draw(st.sampled_from(["process", "ocpp"])))  # fmt: skip
        try:
            circuits.check_cp(found, room, one)
        except EvcsError:
            continue
        fleet.append(one)
    return found, fleet


def with_fallbacks(found: dict[str, Circuit], fleet: list[DesiredCp]) -> list[DesiredCp]:
    chosen = fallbacks(found, fleet)
    return [one._replace(fallback_w=chosen[one.id]) for one in fleet]


@given(sites(), st.randoms())
def test_fallbacks_and_other_loads_are_within_each_circuit(site: Any, random: Any) -> None:
    found, fleet = site
    after = with_fallbacks(found, fleet)
    carried, of_chargers = dict.fromkeys(found, 0), dict.fromkeys(found, 0)
    for one in after:
        assert one.fallback_w in (0, minimum_power_w(one.max_power_w))
        for circuit in path(found, one.circuit):
            carried[circuit] += one.fallback_w
            of_chargers[circuit] += one.fallback_w if one.hosting == "ocpp" else 0
    room = circuits.rooms(found)
    assert not [name for name, power in carried.items() if power and power > room[name]]
    assert not [name for name, power in of_chargers.items() if power and power > room[name] // 2]
    for one in after:  # and who has none would not fit
        if not one.fallback_w:
            least = minimum_power_w(one.max_power_w)
            assert any(
                carried[above] + least > room[above]
                or (one.hosting == "ocpp" and of_chargers[above] + least > room[above] // 2)
                for above in path(found, one.circuit)
            )
    random.shuffle(fleet)
    assert sorted(with_fallbacks(found, fleet)) == sorted(after), "whatever the order"
    assert with_fallbacks(found, after) == after, "and it stays"


@given(sites())
def test_who_comes_takes_no_fallback_away(site: Any) -> None:
    found, fleet = site
    before = with_fallbacks(found, fleet[1:])
    newcomer = [one._replace(fallback_w=None) for one in fleet[:1]]
    after = fallbacks(found, [*newcomer, *before])
    assert all(after[one.id] == one.fallback_w for one in before)
