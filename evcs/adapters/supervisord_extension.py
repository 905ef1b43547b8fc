"""Inside supervisord: an RPC interface beside its own, whose calls cost the same in any fleet.

supervisor's own reading is of all files (0.2 s at 300 CPs), and its own list of processes says
so much of each that it takes 0.1 s at 600. `adapters.supervisord_server` adds it; under a
supervisord without it, `adapters.supervisord` asks as supervisor's own client would.
"""

from __future__ import annotations

import configparser
import json
import time
from pathlib import Path
from typing import Any

from supervisor.options import UnhosedConfigParser
from supervisor.states import SupervisorStates, getProcessStateDescription
from supervisor.xmlrpc import Faults, RPCError

from evcs import __version__
from evcs.adapters import broker_log_file, watchdog
from evcs.adapters.supervisord_inside import Inside
from evcs.core import sections


class Extension:
    """The calls `evcs.processes`, `evcs.add` and `evcs.version`."""

    def __init__(self, supervisord: Any) -> None:
        self._supervisord = supervisord
        inside = Inside(supervisord)
        watchdog.begin(inside)
        broker_log_file.begin(inside)

    def processes(self) -> str:
        """All processes, as JSON: of each its group, name, state, pid, start, idle, error, exit.

        Start in seconds of the epoch; idle: seconds since its last start or end, none before its
        first; error: why it could not be started; exit: the last exit code.
        """
        self._refuse_at_the_end()
        now = int(time.time())
        return json.dumps(
            [
                (
                    group.config.name, one.config.name,
                    getProcessStateDescription(one.get_state()), one.pid,
                    int(one.laststart), now - (int(max(one.laststart, one.laststop)) or now),
                    one.spawnerr or "", one.exitstatus or 0,
                )
                for _, group in sorted(self._supervisord.process_groups.items())
                for _, one in sorted(group.processes.items())
            ]
        )  # fmt: skip

    def add(self, names: list[str]) -> list[str]:
        """Read these groups' section files and take the groups up; why not, "" where it was so."""
        self._refuse_at_the_end()
        return [self._add(name) for name in names]

    def version(self) -> str:
        """The version that is loaded here, which the CPs that are forked from it run."""
        return __version__

    def _refuse_at_the_end(self) -> None:
        """As supervisor's own calls do while it shuts down. Raises RPCError."""
        if self._supervisord.options.mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)

    def _add(self, name: str) -> str:
        if name in self._supervisord.process_groups:
            return ""
        try:
            config = self._read(name)
        except (OSError, ValueError, configparser.Error) as error:
            return str(error) or type(error).__name__
        known = self._supervisord.options.process_group_configs
        known[:] = [one for one in known if one.name != name] + [config]
        self._supervisord.add_process_group(config)
        return ""

    def _read(self, name: str) -> Any:
        """The group's settings. Raises ValueError, OSError or configparser.Error."""
        if not sections.is_unit(name):
            raise ValueError(f"{name[:40]!a} is no CP and no pool")
        options = self._supervisord.options
        path = Path(options.here) / "supervisord.d" / sections.file_name(name)
        parser = UnhosedConfigParser()
        parser.expansions = options.environ_expansions
        with path.open(encoding="utf-8") as file:
            parser.read_file(file)
        parser.expand_here(str(path.parent.resolve()))
        (config,) = options.process_groups_from_parser(parser)
        if config.name != name:
            raise ValueError(f"{path} is of {config.name}")
        return config
