"""`evcs-cp revoke, rekey`: a CP's identities shut out, and made anew."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from evcs.cli import cp_changes
from evcs.cli.chargers import SAID, made_of_it, new_key
from evcs.cli.common import CommandContext, command
from evcs.cli.cp_names import pick
from evcs.cli.options import named, waiting
from evcs.core import charge_point as cp_states

#: Of CPs that are named in a next step.
NAMED = 5


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs-cp`."""

    @command(program)
    @named
    @waiting
    def revoke(ctx: CommandContext, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Shut CPs out at once, until rekey.

        A charge there ends, and its ticket comes after rekey.

        Examples:
          evcs-cp revoke CP-001
        """
        results = cp_changes.each(pick(ctx, names), ctx.registry.revoke)
        made = list(results.made.values())
        if made:
            some = " ".join(results.made) if len(made) <= NAMED else "NAME..."
            ctx.out.say(f"shut out, across restarts too, until: evcs-cp rekey {some}")
        cp_changes.wait_and_finish(ctx, made, results.errors, _revoked, wait, timeout)

    @command(program)
    @named
    @waiting
    def rekey(ctx: CommandContext, names: tuple[str, ...], wait: bool, timeout: float) -> None:
        """Give CPs new secrets, and lift a revocation.

        A charge under way goes on.

        A real charger is told its new password, too. Until it has that the one before is good, but
        for a station that was revoked: its new one is typed in, see evcs-cp connect.

        Examples:
          evcs-cp rekey CP-001
        """
        results = cp_changes.each(pick(ctx, names), ctx.registry.rekey)
        results = made_of_it(results, partial(new_key, ctx), "key", wait)
        for cp, one in results.made.items():
            if "key" in one:
                ctx.out.say(f"{cp}: {SAID.get(one['key'], one['key'])}")
        made = list(results.made.values())
        cp_changes.wait_and_finish(ctx, made, results.errors, cp_changes.judged, wait, timeout)


def _revoked(cp: dict[str, Any]) -> cp_changes.Goal:
    known = cp_changes.taken_note(cp)
    return known._replace(
        done=lambda state: known.done(state) and state.state == cp_states.State.DISCONNECTED,
        wanted={"revoked": True},
    )
