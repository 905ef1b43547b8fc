"""A fifth of a large fleet in pools supplies, a reading a second each; and how many more can."""

from __future__ import annotations

import statistics
import time

from bench import ours
from bench.backlog import Backlog
from bench.charging import Driver, charge_all
from bench.plan import Plan
from bench.request import echoing, to_event_ms, wait_until_free
from bench.results import Series, at_least, at_most, exactly, load, percentile
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.placement import POOL

TITLE = "A fifth of 5,000 in pools supplies"
WINDOWS, WINDOW_S = 10, 60.0
SHORT_S, SETTLE_S = 20.0, 6.0
#: What mosquitto logs of a client whose queue is full.
DROPS = "messages are being dropped"


def run(plan: Plan) -> list[Series]:
    """The readings are counted for ten minutes; requests are measured between those windows."""
    found = []
    for size in plan.sizes(5_000, quick=(6,)):
        fifth = size // 5
        told = Series(size, "a fifth supplies: readings told on", "", exactly(1))
        late = Series(size, "reading to the driver, p95", "ms", at_most(1000, "ms"))
        half = Series(size, "authorised, p50", "ms")
        slow = Series(size, "authorised, p95", "ms", at_most(60, "ms"))
        drops = Series(size, "clients that the broker dropped messages of", "", exactly(0))
        most = Series(size, "supply, and every reading is told on", "", at_least(fifth, "CPs"))
        found += [told, late, half, slow, drops, most]
        with ours.system() as call:
            ours.fill_s(call, size, "--hosting", POOL)
            call.registry.add_driver("BENCH")
            carried = 0
            for count in _steps(fifth, size):
                at = load()
                _charge(call, count, _step(fifth))
                time.sleep(plan.seconds(SETTLE_S))
                if count == fifth:
                    _look_long(plan, call, told, late, half, slow)
                    drops.add(at, _drops(call))
                    whole = told.ours == [1.0] * len(told.ours)
                else:
                    whole = _window(call, plan.seconds(SHORT_S)).share == 1.0
                plan.say(f"{count} supply, {_drops(call)} drops, every reading told on: {whole}")
                if whole and not _drops(call):
                    carried = count
                elif count >= fifth:
                    break
            most.add(at, carried)
    return found


def _step(fifth: int) -> int:
    return max(fifth // 4, 1)


def _steps(fifth: int, size: int) -> range:
    """How many supply, one after the other; one more is there to be asked."""
    return range(_step(fifth), size, _step(fifth))


def _charge(call: CommandContext, count: int, step: int) -> None:
    """The next of them begin, the first CP left out."""
    charge_all(call, [f"CP-{n:03d}" for n in range(count - step + 2, count + 2)])


def _look_long(
    plan: Plan, call: CommandContext, told: Series, late: Series, half: Series, slow: Series
) -> None:
    """Windows in which every reading is followed, and requests at the first CP between them."""
    engine = [topics.filter_for(m.EngineStatus, cp="CP-001")]
    with (
        Driver(call, "BENCH") as driver,
        BusProbe(call.settings, engine) as eye,
        echoing(call) as echo,
    ):
        wait_until_free(eye)
        for _ in range(plan.samples(WINDOWS)):
            at = load()
            seen = _window(call, plan.seconds(WINDOW_S))
            told.add(at, seen.share)
            late.add(at, seen.p95_ms)
            at = load()
            asked = range(plan.samples(20))
            took = [to_event_ms(driver, "CP-001", "authorised", eye) for _ in asked]
            bare = [echo() for _ in took]
            half.add(at, statistics.median(took), statistics.median(bare))
            slow.add(at, percentile(took, 0.95), percentile(bare, 0.95))


def _window(call: CommandContext, seconds: float) -> Backlog:
    with Backlog(call.settings) as seen:
        time.sleep(seconds)
    return seen


def _drops(call: CommandContext) -> int:
    """How often the broker said so since its start."""
    return sum(
        path.read_text(errors="replace").count(DROPS)
        for path in call.settings.home.log.glob("mosquitto.log*")
    )
