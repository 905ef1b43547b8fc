"""What every state machine around Central holds: a real ledger whose settled rows never change."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from evcs.adapters.ledger import Ledger
from evcs.adapters.ledger_reader import LedgerReader
from evcs.core import messages as m
from evcs.core.ports import Received
from evcs.services.central.service import Central
from tests.unit.fakes import FakeClock

CP = "CP-1"


class LedgerMachine(RuleBasedStateMachine):
    """Its ledger is in a folder of its own, and all must have come right at the end.

    A driver charges at its CP, and stops.
    """

    central: Central

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)
        self.clock = clock
        self.ledger = Ledger(self.folder / "ledger.db")
        self.settled: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        try:
            self.all_comes_right_once_messages_flow()
        finally:
            self.ledger.close()
            self._folder.cleanup()

    def all_comes_right_once_messages_flow(self) -> None:
        raise NotImplementedError

    def collect(self) -> None:
        """Take what Central has said."""
        raise NotImplementedError

    @rule(energy_wh=st.integers(1, 20_000))
    def charge(self, energy_wh: int) -> None:
        self._asks(m.DriverRequest("ALICE", "charge", f"r{self.clock.now}", CP, energy_wh))

    @rule()
    def stop(self) -> None:
        self._asks(m.DriverRequest("ALICE", "stop", "r"))

    def _asks(self, asked: m.DriverRequest) -> None:
        self.central.handle([Received(asked, False)])
        self.collect()

    def rows(self) -> dict[str, dict[str, Any]]:
        """Sessions and corrections by id, as they are listed."""
        found = LedgerReader(self.folder / "ledger.db").sessions()
        return {row["session_id"]: row for row in found}

    @invariant()
    def a_settled_session_never_changes_and_none_is_lost(self) -> None:
        rows = self.rows()
        assert self.settled.items() <= {k: v for k, v in rows.items() if k in self.settled}.items()
        self.settled |= {one: row for one, row in rows.items() if row["state"] == "settled"}
