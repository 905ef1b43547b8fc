"""`evcs demo, crashtest, verify-restart`: shows and trials of the whole."""

from __future__ import annotations

import click

from evcs.cli.common import CommandContext, command
from evcs.core.placement import EMULATED, PROCESS


def add_to(program: click.Group) -> None:
    """Add these commands to `evcs`."""

    @command(program)
    def demo(ctx: CommandContext) -> None:
        """Show it all: charge, lose power, come back.

        Examples:
          evcs demo
        """
        from evcs.cli import demo as show

        show.run(ctx)

    @command(program, "verify-restart")
    @click.option("--count", type=click.IntRange(1, 5000), default=10, show_default=True)
    @click.option("--hosting", type=click.Choice(EMULATED), default=PROCESS, show_default=True)
    @click.option(
        "--backend", is_flag=True,
        help="They are chargers of a back end, which the command is, and charge meanwhile.",
    )  # fmt: skip
    def verify_restart(ctx: CommandContext, count: int, hosting: str, backend: bool) -> None:
        """Kill everything at once, and see every CP back.

        In a home of its own.

        Examples:
          evcs verify-restart --count 100
          evcs verify-restart --count 300 --hosting pool --backend
        """
        from evcs.cli import verify_restart as trial

        trial.run(ctx, count, hosting, backend)

    _add_crashtest(program)


def _add_crashtest(program: click.Group) -> None:
    @command(program)
    @click.option(
        "--seed", type=int, default=1, show_default=True, help="Which faults, in what order."
    )
    @click.option("--rounds", type=click.IntRange(1, 100_000), default=20, show_default=True)
    @click.option("--cps", type=click.IntRange(1, 300), default=4, show_default=True)
    @click.option(
        "--hosting",
        type=click.Choice([*EMULATED, "mixed"]),
        default=PROCESS,
        show_default=True,
        help="How they run; mixed: every second one in a pool.",
    )
    @click.option(
        "--hosts", type=click.IntRange(0, 20), default=0, show_default=True,
        help="Machines beside the centre: network namespaces, which root alone may make.",
    )  # fmt: skip
    def crashtest(
        ctx: CommandContext, seed: int, rounds: int, cps: int, hosting: str, hosts: int
    ) -> None:
        """Charge through faults, then compare every Wh and W.

        In a home of its own; the seed says which faults, in what order. With other hosts lines are
        cut, machines lose power, and CPs move between them.

        Examples:
          evcs crashtest --seed 7 --rounds 50
          evcs crashtest --hosts 2 --cps 6 --hosting mixed
        """
        from evcs.cli import crashtest as trial

        trial.run(ctx, seed, rounds, cps, hosting, hosts)
