from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from evcs.core import reconcile, sections
from evcs.core.messages import DesiredCp

CPS = ["CP-1", "CP-2", "CP-3", "CP-4"]
OLD = "an older section"
NOTHING = reconcile.Plan({}, (), (), (), (), ())


def cp_of(cp: str, host: str = "main", revoked: bool = False, deleted: bool = False) -> DesiredCp:
    return DesiredCp(cp, cp, "in", "0.30", 22_000, "", host, revoked, deleted, 1)


@dataclass
class World:
    """Section files, and groups with the section that each was started from."""

    files: dict[str, str | None] = field(default_factory=dict)
    groups: dict[str, str | None] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    restarted: list[str] = field(default_factory=list)

    def plan(self, desired: dict[str, DesiredCp]) -> reconcile.Plan:
        changed = {
            cp for cp, text in self.groups.items() if cp in self.files and self.files[cp] != text
        }
        actual = reconcile.Actual(self.files, {}, self.groups.keys(), changed, self.busy)
        return reconcile.plan(desired, reconcile.wanted(desired, "main"), actual)

    def apply(self, plan: reconcile.Plan) -> None:
        """The steps in the order that Plan gives them."""
        for cp in plan.write:
            self.files[cp] = sections.render(cp)
        for cp in plan.erase:
            del self.files[cp]
        for cp in plan.stop:
            del self.groups[cp]
            self.restarted.append(cp)
        for cp in plan.start:
            assert cp not in self.groups, "a second group of the same CP"
            self.groups[cp] = self.files[cp]


TEXT = st.sampled_from([None, OLD, "render"])
WORLDS = st.builds(
    lambda files, groups, busy: World(
        {cp: sections.render(cp) if text == "render" else text for cp, text in files.items()},
        {cp: sections.render(cp) if text == "render" else text for cp, text in groups.items()},
        busy,
    ),
    st.dictionaries(st.sampled_from(CPS), TEXT),
    st.dictionaries(st.sampled_from(CPS), st.sampled_from([OLD, "render"])),
    st.sets(st.sampled_from(CPS)),
)
DESIRED = st.dictionaries(
    st.sampled_from(CPS),
    st.tuples(st.sampled_from(["main", "other"]), st.booleans(), st.booleans()),
).map(lambda found: {cp: cp_of(cp, *rest) for cp, rest in found.items()})


def wanted(desired: dict[str, DesiredCp]) -> set[str]:
    return {cp for cp, d in desired.items() if d.host == "main" and not d.revoked and not d.deleted}


@given(WORLDS, DESIRED)
def test_applied_over_and_over_the_plan_reaches_what_is_wanted(
    world: World, desired: dict[str, DesiredCp]
) -> None:
    world.apply(world.plan(desired))
    world.busy.clear()
    world.apply(world.plan(desired))
    world.apply(world.plan(desired))
    for cp in desired:
        text = sections.render(cp) if cp in wanted(desired) else None
        assert world.files.get(cp) == text
        assert world.groups.get(cp) == text
    assert world.plan(desired) == NOTHING


@given(WORLDS, DESIRED)
def test_what_no_record_names_is_never_touched(world: World, desired: dict[str, DesiredCp]) -> None:
    plan = world.plan(desired)
    assert {cp for step in plan for cp in step} <= desired.keys()
    assert not set(plan.erase) & wanted(desired)


@given(WORLDS, DESIRED)
def test_a_busy_cp_is_not_stopped(world: World, desired: dict[str, DesiredCp]) -> None:
    plan = world.plan(desired)
    assert not set(plan.stop) & world.busy
    assert set(plan.waiting) <= world.busy
    assert not set(plan.waiting) & set(plan.erase)


@given(WORLDS, DESIRED)
def test_a_group_that_runs_as_wanted_goes_on_undisturbed(
    world: World, desired: dict[str, DesiredCp]
) -> None:
    at_ease = {
        cp for cp in wanted(desired)
        if world.groups.get(cp) == world.files.get(cp, OLD) == sections.render(cp)
    }  # fmt: skip
    for _ in range(3):
        world.apply(world.plan(desired))
    assert not at_ease & set(world.restarted)


def test_an_empty_registry_removes_nothing() -> None:
    text = sections.render("CP-1")
    world = World({"CP-1": text}, {"CP-1": text})
    assert world.plan({}) == NOTHING


def test_a_file_that_can_not_be_read_is_written_anew() -> None:
    assert World({"CP-1": None}).plan({"CP-1": cp_of("CP-1")}).write == ("CP-1",)


def test_a_tombstone_waits_for_the_end_of_a_supply() -> None:
    text = sections.render("CP-1")
    world = World({"CP-1": text}, {"CP-1": text}, {"CP-1"})
    assert world.plan({"CP-1": cp_of("CP-1", deleted=True)}) == NOTHING._replace(waiting=("CP-1",))
