"""What a CP's two processes hold, beside two bare ones."""

from __future__ import annotations

from bench import ours, processes
from bench.floor import floor
from bench.plan import Plan
from bench.results import Series, at_most, load
from evcs.config import Settings
from evcs.core import sections

TITLE = "Memory"
SERVICES = ("mosquitto", "registry", "central", "cp-manager", "web", "supervisord")


def run(plan: Plan) -> list[Series]:
    """The mean over the fleet; what is shared is divided by those that share it."""
    found = []
    for size in plan.sizes(100, 300):
        a_cp = Series(size, "a CP (both processes)", "MiB", at_most(11, "MiB"))
        rest = Series(size, "all services and the broker", "MiB")
        found += [a_cp, rest]
        for _ in range(plan.runs(size, full=2, large=1)):
            at = load()
            with ours.system() as call:
                ours.fill(call, size)
                mine, services = _a_pair(call.settings, size), _of(call.settings, SERVICES)
            with floor(size) as bare:
                bare.started_s()
                a_cp.add(at, mine, _a_pair(bare.settings, size))
            rest.add(at, services)
            plan.say(f"{size} CPs: {mine:.1f} MiB each, floor {a_cp.floor[-1]:.1f}")
    return found


def _a_pair(settings: Settings, size: int) -> float:
    return _of(settings, sections.ROLES) / size


def _of(settings: Settings, names: tuple[str, ...]) -> float:
    found = processes.pids(settings)
    return sum(processes.pss_mib(pid) for name in names for pid in found[name])
