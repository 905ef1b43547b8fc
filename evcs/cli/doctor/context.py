"""What doctor's checks look at, gathered once: settings, store, processes, the bus."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path

from evcs.adapters import registry_db
from evcs.adapters.section_files import SectionFiles
from evcs.adapters.supervisord import (
    LOOK_TIMEOUT_S,
    Ending,
    Supervisord,
    silent,
    supervisord_pid,
)
from evcs.cli import versions
from evcs.cli.bus_probe import BusProbe, Raw
from evcs.cli.check import steady_processes
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import placement, pools, topics
from evcs.core.cp_manager_ports import Process
from evcs.core.errors import Denied, EvcsError
from evcs.core.fleet_size import FleetSize
from evcs.core.stored import Stored

BUS_WITHIN_S = 3.0


class DoctorContext:
    """One look; what can't be had is empty, and the check concerned says why."""

    def __init__(self, ctx: CommandContext) -> None:
        self.command, self.settings, self.home = ctx, ctx.settings, ctx.settings.home
        self.pid = None
        with suppress(Denied):
            self.pid = supervisord_pid(self.home)

    @cached_property
    def stored(self) -> tuple[Stored | None, dict[Path, str]]:
        """The Registry's store as it lies there, and which of its files are bad."""
        return registry_db.peek(self.home.registry_json)

    @property
    def cps(self) -> dict[str, m.DesiredCp]:
        """The CPs in the store, those being deleted too."""
        return self.stored[0].cps if self.stored[0] else {}

    @cached_property
    def units(self) -> frozenset[str | None]:
        """The groups that are to run them; of a host, those that it has sections of."""
        if self.settings.is_joined:
            return frozenset(SectionFiles(self.home.sections).texts())
        return frozenset(map(placement.unit, self.cps.values()))

    @property
    def fleet(self) -> FleetSize:
        """How many they are."""
        if self.settings.is_joined:
            return FleetSize(own=sum(not pools.is_shared(str(unit)) for unit in self.units))
        return FleetSize.of(cp.hosting for cp in self.cps.values())

    @cached_property
    def drivers(self) -> frozenset[str]:
        """The drivers in the store."""
        return frozenset(self.stored[0].drivers if self.stored[0] else ())

    @cached_property
    def silent(self) -> EvcsError | None:
        """Why supervisord, which is there, gives no answer; asked once."""
        try:
            if self.pid is not None:
                Supervisord(self.home.supervisor_socket, LOOK_TIMEOUT_S).pid()
        except Ending as error:
            return error
        except EvcsError:
            return silent(self.pid) if self.pid else None
        return None

    @cached_property
    def processes(self) -> list[Process]:
        """supervisord's, none where it doesn't run or answer."""
        if self.pid is None or self.silent is not None:
            return []
        try:
            return steady_processes(Supervisord(self.home.supervisor_socket))
        except EvcsError:
            return []

    @cached_property
    def retained(self) -> dict[str, bytes]:
        """All that the broker keeps: topic -> payload. Empty where it can't be reached."""
        if self.pid is None:
            return {}
        try:
            with BusProbe(self.settings, [topics.subtree()], decode=Raw) as probe:
                return probe.retained(BUS_WITHIN_S)
        except EvcsError:
            return {}

    @cached_property
    def older(self) -> dict[str, str]:
        """Program -> the other version than ours that it still runs."""
        return versions.older(self.settings) if self.pid and self.silent is None else {}
