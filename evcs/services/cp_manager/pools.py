"""The pools of this host: their member files, and what their processes say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from evcs.core import pools
from evcs.core.cp_manager_ports import MemberStore
from evcs.core.health import EngineAnswer
from evcs.core.ports import HealthProbe
from evcs.core.sections import process
from evcs.runtime.crash_points import crash_point

ANSWER_WITHIN_S = 0.5
#: Monitors whose Engines hang are late: they wait for those a second at a time.
HOSTED_WITHIN_S = 3.0

Probes = Callable[[str, str], HealthProbe]


class Pools:
    """Who is asked looks at its member file first, so a question is what tells of a change."""

    def __init__(self, files: MemberStore, probes: Probes) -> None:
        self._files, self._probes = files, probes

    def members(self, wanted: Iterable[str]) -> dict[str, pools.Members]:
        """Pool -> its members, of all that have a file, and of the wanted ones.

        Where a file is lost, those that one of its processes hosts: none may be dropped for that.
        """
        found = {**dict.fromkeys(wanted), **self._files.members()}
        return {
            pool: dict.fromkeys(self._hosted(pool), "") if members is None else members
            for pool, members in found.items()
        }

    def _hosted(self, pool: str) -> set[str]:
        said = (self._probes(pool, role).ask(HOSTED_WITHIN_S) for role in pools.roles(pool))
        return {cp for answers in said for cp in answers or ()}

    def write(self, changes: Mapping[str, pools.Members]) -> None:
        """Put member files in place, and have the pools act by them."""
        for pool, members in changes.items():
            if members:
                self._files.write(pool, members)
            else:
                self._files.erase(pool)
            crash_point("manager.members_written")
        for pool in changes:
            for role in pools.roles(pool):
                self._probes(pool, role).ask(ANSWER_WITHIN_S)

    def engines(self, unit: str) -> Mapping[str, EngineAnswer]:
        """What the Engines of a unit say, of a pool or of a CP of its own; nothing if none does."""
        return self._probes(unit, process(unit, "engine")).ask(ANSWER_WITHIN_S) or {}

    def figures(self, pool: str, role: str) -> dict[str, Any]:
        """What a pool's process says of its memory and its loop."""
        found = self._probes(pool, role).figures(ANSWER_WITHIN_S)
        return found._asdict() if found is not None else {}

    def end(self, pool: str, cps: Iterable[str], roles: Iterable[str] = pools.ROLES) -> None:
        """Have members' roles end as a crash would; they come back.

        A process that hangs is waited for once: it is ended as a whole, and all come back by that.
        """
        for role in roles:
            probe = self._probes(pool, role)
            all(probe.end_one(cp) for cp in cps)
