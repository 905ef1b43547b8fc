"""From a driver's request to Central's authorisation, and to the first reading.

The next request waits until the CP is free of the last one, its Engine settled, and a moment
more: so they fall anywhere in the second in which each of the others reads its meter, and stay
below what Central takes of one CP.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import ours
from bench.charging import Driver, charge_all
from bench.plan import Plan
from bench.results import Series, at_most, load, percentile
from evcs.adapters.supervisord import Supervisord
from evcs.cli import prepare
from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics

TITLE = "Request to authorised to first meter"
ECHO = Path(__file__).with_name("floor_echo.py")
PING, PONG = "evcs/v1/operator/bench", "evcs/v1/inspector/bench"


def run(plan: Plan) -> list[Series]:
    """One driver asks again and again while so many others charge."""
    found = []
    for size in plan.sizes(1, 100, 300):
        half = Series(size, "authorised, p50", "ms", at_most(7, "ms"))
        most = Series(size, "authorised, p95", "ms", at_most(23, "ms"))
        meter = Series(size, "first meter, p50", "ms")
        found += [half, most, meter]
        with ours.system() as call:
            cps = ours.fill(call, size + 1)
            call.registry.add_driver("BENCH")
            charge_all(call, cps[1:])
            plan.say(f"{size} supply")
            engine = [topics.filter_for(m.EngineStatus, cp=cps[0])]
            with (
                Driver(call, "BENCH") as driver,
                BusProbe(call.settings, engine) as eye,
                echoing(call) as echo,
            ):
                wait_until_free(eye)
                for _ in range(plan.runs(size, large=5)):
                    at, samples = load(), plan.samples(25)
                    took = [to_event_ms(driver, cps[0], "authorised", eye) for _ in range(samples)]
                    bare = [echo() for _ in took]
                    half.add(at, statistics.median(took), statistics.median(bare))
                    most.add(at, percentile(took, 0.95), percentile(bare, 0.95))
                    samples = plan.samples(5)
                    firsts = [to_event_ms(driver, cps[0], "progress", eye) for _ in range(samples)]
                    meter.add(at, statistics.median(firsts))
    return found


def to_event_ms(driver: Driver, cp: str, event: str, eye: BusProbe) -> float:
    """From a request to that event; then all of it is ended."""
    began = driver.ask("charge", cp)
    there = driver.wait(event)
    driver.ask("stop")
    driver.wait("ticket")
    wait_until_free(eye)
    return (there - began) * 1000


def wait_until_free(eye: BusProbe) -> None:
    """The Engine says so once for each session, when it has heard that it is settled."""
    free = eye.wait(
        lambda told: isinstance(told, m.EngineStatus) and told.session_id is None, ours.WITHIN_S
    )
    assert free
    time.sleep(random.uniform(0.1, 0.4))


class Echo:
    """Two questions, one after the other, to a bare process that answers at once.

    As many messages pass the broker as for an authorisation: request, command, reply, event.
    """

    def __init__(self, call: CommandContext) -> None:
        wanted = [topics.Subscription(PONG)]
        self._asks = BusProbe(call.settings, [], "operator").__enter__()
        self._hears = BusProbe(call.settings, wanted, decode=lambda topic, _: topic).__enter__()

    def __call__(self) -> float:
        began = time.monotonic()
        for _ in range(2):
            self._asks.publish(topics.Publication(PING, b"{}", 1, False))
            heard: object = None
            while heard != PONG:
                heard = self._hears.next(began + ours.WITHIN_S)
                assert heard is not None, "no answer"
        return (time.monotonic() - began) * 1000

    def close(self) -> None:
        """Disconnect."""
        self._asks.__exit__()
        self._hears.__exit__()


def _may_echo(call: CommandContext) -> None:
    """This home's access list lets these two speak on topics that the contract doesn't have."""
    home = call.settings.home
    # The rules, and what the Registry has rendered from them for the broker.
    for path in (home.path / "conf" / "mosquitto.acl", home.access):
        with path.open("a") as file:
            for who, topic in (("operator", PING), ("inspector", PONG)):
                file.write(f"\nuser {who}\ntopic write {topic}\n")
    Supervisord(home.supervisor_socket).signal("mosquitto", "HUP")


@contextmanager
def echoing(call: CommandContext) -> Iterator[Echo]:
    """The floor of a request, beside this system, for the length of a `with` block."""
    _may_echo(call)
    process = subprocess.Popen(
        [sys.executable, "-P", ECHO, "inspector", PING, PONG], cwd=call.settings.home.path,
        env=prepare.environment(call.settings), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    echo = Echo(call)
    try:
        yield echo
    finally:
        echo.close()
        process.kill()
        process.wait()
