"""What a CP has in its home: journal, back end, socket, locks, logs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from contextlib import suppress

from evcs.adapters import heartbeat, journal_places
from evcs.adapters.files import clear_place, is_locked, make_folder, write_atomic
from evcs.core import back_ends, pools, sections
from evcs.core.back_ends import BackEndOf
from evcs.home import Home

#: A pool lets go of a CP in some ms.
LET_GO_WITHIN_S, LOOK_EVERY_S = 0.3, 0.005

_LOGS = tuple(f"{role}.log" for role in sections.ROLES)


class CpTraces:
    """Those of the CPs of one home. Each call may raise OSError."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def held(self, cps: Set[str]) -> Set[str]:
        """Those of which an Engine or a Monitor lives here, in whichever place, hung ones too.

        Who is just about to let go is waited for, some tenths of a second.
        """
        until = time.monotonic() + LET_GO_WITHIN_S
        while (cps := {cp for cp in cps if self._is_held(cp)}) and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
        return cps

    def unsettled(self, cps: Set[str]) -> Set[str]:
        """Those whose journals have a charge that is not settled."""
        return journal_places.unsettled(self._home, cps)

    def carry_over(self, places: Mapping[str, str]) -> None:
        """CP -> the unit in which it is to begin: what another place has kept of it goes there."""
        begins = {cp: unit if pools.is_shared(unit) else None for cp, unit in places.items()}
        journal_places.carry_over(self._home, begins)

    def put_back_ends(self, of: Mapping[str, BackEndOf]) -> None:
        """What their Engines have to know of their back ends; written where it differs."""
        for cp, one in of.items():
            path, text = self._home.back_end(cp), back_ends.render(one).encode()
            with suppress(OSError):
                if path.read_bytes() == text:
                    continue
            make_folder(path.parent)
            clear_place(path)
            write_atomic(path, text)

    def remove(self, cps: Set[str]) -> None:
        """Remove them; what is absent is well. What a pool's log says of CPs stays."""
        journal_places.forget(self._home, cps)
        for cp in cps:
            heartbeat.beat()
            self._home.engine_socket(cp).unlink(missing_ok=True)
            self._home.back_end(cp).unlink(missing_ok=True)
            for role in sections.ROLES:
                self._home.lock(f"{cp}.{role}").unlink(missing_ok=True)
        for path in self._home.log.glob("*.log*"):
            cp, _, rest = path.name.partition(".")
            if cp in cps and rest.startswith(_LOGS):
                path.unlink(missing_ok=True)

    def _is_held(self, cp: str) -> bool:
        return any(is_locked(self._home.lock(f"{cp}.{role}")) for role in sections.ROLES)
