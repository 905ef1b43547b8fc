from __future__ import annotations

import pytest

from evcs.core import charge_point as states
from evcs.core.authorization import Situation, authorise
from evcs.core.errors import BY_CODE
from evcs.core.messages import DesiredCp

CP = DesiredCp("C", "C", "in", "0.30", 22_000, "", "main", False, False, 1)
LEAVES = CP._replace(host="h2", previous_host="main", previous_placement="old")
FREE = Situation(CP, states.State.ACTIVATED, "", None, None)


def test_a_free_cp_may_be_used() -> None:
    assert authorise(FREE) is None


@pytest.mark.parametrize(
    ("situation", "code", "words"),
    [
        (FREE._replace(desired=None, state=states.State.DISCONNECTED), "not_found", "unknown CP"),
        (FREE._replace(desired=CP._replace(deleted=True)), "not_found", "unknown CP"),
        (FREE._replace(desired=CP._replace(backend="ws://x", ocpp="1.6")), "conflict", "back end"),
        (FREE._replace(driver_cp="CP-9"), "conflict", "driver already charging at CP-9"),
        (FREE._replace(cp_session="S", state=states.State.SUPPLYING), "conflict", "busy"),
        (FREE._replace(cp_session="S"), "conflict", "busy"),
        (FREE._replace(desired=LEAVES), "conflict", "being moved"),
        (FREE._replace(state=states.State.OUT_OF_ORDER), "conflict", "out of order"),
        (FREE._replace(state=states.State.BROKEN_DOWN, reason="silent"), "conflict", "silent"),
        (FREE._replace(state=states.State.DISCONNECTED, reason="revoked"), "conflict", "revoked"),
    ],
)
def test_a_denial_names_its_cause(situation: Situation, code: str, words: str) -> None:
    denial = authorise(situation)
    assert denial is not None
    assert denial.code == code
    assert words in denial.reason
    assert denial.code in BY_CODE


@pytest.mark.parametrize("state", states.State)
def test_no_state_but_activated_is_free(state: str) -> None:
    situation = FREE._replace(
        state=state, cp_session="S" if state == states.State.SUPPLYING else None, reason="x"
    )
    assert (authorise(situation) is None) == (state == states.State.ACTIVATED)
