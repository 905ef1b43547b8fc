"""What Central makes of a CP's readings under a limit."""

from __future__ import annotations

from evcs.core import power as p

NOW = 1_000.0


def under(limit_w: int) -> p.Power:
    """A CP whose readings have shown that limit."""
    return p.heard(p.told(None, limit_w, limit_w, NOW), limit_w, limit_w, NOW)


def test_a_reading_that_is_not_of_its_limit_leaves_nothing_to_others() -> None:
    found = p.heard(under(9_000), None, 0, NOW + 1)
    assert found.slack_since is None
    assert found.unshown_since == NOW + 1
    found = p.heard(found, 9_000, 4_000, NOW + 2)
    assert (found.slack_since, found.unshown_since) == (NOW + 2, None)


def test_who_leaves_some_goes_on_doing_so_under_the_limit_that_comes_of_it() -> None:
    found = p.heard(under(9_000), 9_000, 4_000, NOW + 1)
    found = p.told(found, 5_000, 9_000, NOW + 11)
    found = p.heard(found, 9_000, 4_000, NOW + 12)
    assert found.slack_since == NOW + 1
    found = p.heard(found, 5_000, 4_900, NOW + 13)
    assert found.slack_since is None


def test_who_is_given_more_has_time_to_take_it() -> None:
    found = p.heard(under(9_000), 9_000, 4_000, NOW + 1)
    assert p.told(found, 11_000, 9_000, NOW + 11).slack_since is None
