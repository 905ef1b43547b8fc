"""`evcs-cp revoke, rekey`: a CP's identities shut out, and made anew."""

from __future__ import annotations

from typing import Any

import click

from evcs.cli import fleet
from evcs.cli.common import Call, command
from evcs.cli.options import named, waiting
from evcs.core import charge_point as cp_states


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""

    @command(program)
    @named
    @waiting
    def revoke(call: Call, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Shut CPs out at once, until rekey: a supply ends, its ticket comes after rekey."""
        results = fleet.each(fleet.pick(call, names), call.registry.revoke)
        made = list(results.made.values())
        fleet.wait_and_finish(call, made, results.errors, _revoked, wait, timeout)

    @command(program)
    @named
    @waiting
    def rekey(call: Call, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Give CPs new secrets, and lift a revocation; a supply under way goes on."""
        results = fleet.each(fleet.pick(call, names), call.registry.rekey)
        made = list(results.made.values())
        fleet.wait_and_finish(call, made, results.errors, fleet.settled, wait, timeout)


def _revoked(cp: dict[str, Any]) -> fleet.Goal:
    known = fleet.taken_note(cp)
    return known._replace(
        done=lambda state: known.done(state) and state.state == cp_states.DISCONNECTED,
        wanted={"revoked": True},
    )
