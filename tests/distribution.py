"""Which tests go to which worker, and in which order: no processor is idle, none has too much."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: Files whose tests share nothing that takes long to make: each may run anywhere.
APART = frozenset({
    "tests/adapters/test_station_engine.py", "tests/adapters/test_station_engine_201.py",
    "tests/bench/test_quick.py", "tests/docs/test_commands.py", "tests/system/test_demo.py",
})  # fmt: skip
#: Folders whose files share what takes long to make.
TOGETHER = ("tests/install/",)
#: Where tests work: two workers take these first, and the others what waits more than it works.
WORK = ("tests/install/", "tests/web/", "tests/docs/", "tests/unit/", "tests/bench/")
WORKERS = 2
#: What takes longest, the longest first; all else follows.
FIRST = (
    "tests/hosts/test_faults.py", "tests/hosts/test_join.py", "tests/hosts/test_crashtest.py",
    "tests/contract/test_openapi.py", "tests/faults/test_sessions.py", "tests/install/",
    "tests/faults/test_crash_points.py", "tests/contract/test_doctor.py",
    "tests/faults/test_pool_moves.py", "tests/faults/test_pool_members.py",
    "tests/ocpp/test_back_ends.py", "tests/ocpp/test_power.py", "tests/security/test_tls.py",
    "tests/web/test_whole_system.py", "tests/docs/test_commands.py", "tests/system/test_demo.py",
    "tests/contract/test_terminal.py", "tests/contract/test_streams.py",
    "tests/faults/test_pools.py", "tests/web/test_clicks.py", "tests/contract/test_commands.py",
    "tests/ocpp/test_misuse.py", "tests/ocpp/test_load_testing.py", "tests/bench/test_quick.py",
    "tests/adapters/test_journal_places.py", "tests/adapters/test_forked_start.py",
    "tests/faults/test_crashtest.py", "tests/security/test_revoke_crashes.py",
    "tests/contract/test_strange_homes.py", "tests/system/test_one_actuator.py",
    "tests/faults/test_processes.py", "tests/ocpp/test_fleet.py", "tests/ocpp/test_own_chargers.py",
    "tests/ocpp/test_charges.py", "tests/faults/test_power_at_size.py",
    "tests/web/test_sessions.py", "tests/web/test_pages.py", "tests/system/test_restart.py",
    "tests/faults/test_watchdog.py", "tests/faults/test_full_disk.py", "tests/ocpp/test_doctor.py",
    "tests/security/test_listeners.py", "tests/web/test_accessibility.py",
    "tests/web/test_login_auth.py", "tests/ocpp/test_refusals.py",
    "tests/ocpp/test_whole_charges.py", "tests/system/test_fleet.py",
    "tests/faults/test_section_files.py", "tests/faults/test_registry_file.py",
    "tests/faults/test_power.py", "tests/security/test_revoke.py",
    "tests/unit/test_load_manager.py", "tests/system/test_backup.py",
    "tests/security/test_no_secret_leaks.py", "tests/security/test_audit.py",
    "tests/faults/test_executed_start.py", "tests/ocpp/test_odd_chargers.py",
    "tests/faults/test_stores.py", "tests/security/test_forgery.py",
    "tests/adapters/test_ledger.py", "tests/adapters/test_host_contracts.py",
)  # fmt: skip


def rank(nodeid: str) -> int:
    """A test's place: less is earlier."""
    return next((n for n, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


def unit(nodeid: str) -> str:
    """The tests of a unit run in one worker: those of a file share one running system."""
    file = nodeid.partition("::")[0]
    if file in APART:
        return nodeid
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


class BySharing(LoadScopeScheduling):
    """xdist's own of that name takes a file, a class or a mark for the unit."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        works = self.nodes.index(node) < WORKERS
        mine = (name for name in self.workqueue if name.startswith(WORK) == works)
        if name := next(mine, None):
            self.workqueue.move_to_end(name, last=False)
        super()._assign_work_unit(node)
