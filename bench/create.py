"""From `create` to ACTIVATED, in a fleet that is there: the command, and the interface alone."""

from __future__ import annotations

import time
from typing import NamedTuple

from bench import ours
from bench.floor import floor
from bench.plan import Plan
from bench.results import Aim, Series, load, ratio_at_most
from evcs.cli import cp_changes
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.placement import PROCESS

TITLE = "One creation to ACTIVATED"
WITHIN_S = 30.0


def run(plan: Plan) -> list[Series]:
    """Each creation stands beside the start of one bare pair, with the same fleet running."""
    found = []
    for size in plan.sizes(10, 100, 300):
        aims: list[Aim] = [ratio_at_most(0.9)]
        under = Aim("at most 1 s", lambda median, _: median <= 1.0)
        command = Series(size, "evcs-cp create", "s", under if size == 100 else None)
        http = Series(size, "request to ACTIVATED", "s", aims[0])
        found += [command, http]
        samples = plan.samples(10)
        with ours.system() as call, floor(2 * samples, autostart=False) as bare:
            bare.start()
            ours.fill(call, size)
            plan.say(f"{size} CPs are there")
            with (
                bare.probe() as floor_eye,
                BusProbe(call.settings, [topics.filter_for(m.CpState)]) as eye,
            ):
                pairs = iter(bare.cps)
                for number in range(samples):
                    before = load()
                    took_s = ours.command(call, "evcs-cp", "create", f"X-{number}")
                    command.add(before, took_s, bare.start_pair(next(pairs), floor_eye))
                    before = load()
                    took_s = by_http(call, eye, f"Y-{number}").whole_s
                    http.add(before, took_s, bare.start_pair(next(pairs), floor_eye))
    return found


class Created(NamedTuple):
    """How long one creation took from its request, and from the Registry's answer."""

    whole_s: float
    after_answer_s: float


def by_http(call: CommandContext, eye: BusProbe, cp: str, hosting: str = PROCESS) -> Created:
    """Create a CP and wait for Central's judgement."""
    began = time.monotonic()
    done = cp_changes.judged(call.registry.create({"id": cp, "hosting": hosting})).done
    answered = time.monotonic()
    there = eye.wait(
        lambda told: isinstance(told, m.CpState) and told.cp == cp and done(told), WITHIN_S
    )
    assert there, cp
    ended = time.monotonic()
    return Created(ended - began, ended - answered)
