"""Who may say on the bus what the Registry listens to: who floods is shut out for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.audit import FLOOD
from evcs.core.identities import of_cp, of_host
from evcs.core.ports import AuditSpool, Bus
from evcs.core.shares import Shares
from evcs.services.registry.accounts import Accounts

STATUS_KINDS = (m.EngineStatus, m.MonitorStatus)
#: A host reports all of its CPs as it connects, and then what changes. Of those that nobody knows
#: it has few: each costs two publications.
REPORTS_AT_ONCE, REPORTS_A_SECOND = 20_000.0, 200.0
A_STRANGE_REPORT = 10.0


class Senders:
    """`centre`: the host that is our own. `clock`: monotonic seconds."""

    def __init__(
        self, accounts: Accounts, bus: Bus, spool: AuditSpool, centre: str,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._accounts, self._bus, self._spool, self._centre = accounts, bus, spool, centre
        self._reports = Shares(clock, REPORTS_AT_ONCE, REPORTS_A_SECOND)

    def shut_out(self, floods: Mapping[str, str]) -> None:
        """Keep these away, and audit of what each had too much, unless another has ("").

        Who is away already costs nothing more, however much there is of his.
        """
        fresh = [who for who in floods if not self._accounts.is_shut_out(who)]
        if fresh:
            self._accounts.shut_out(fresh)
        for who in fresh:
            self._take_away(who)
            if floods[who]:
                self._spool.tell(who, FLOOD, "shut out", floods[who])

    def _take_away(self, identity: str) -> None:
        """The broker tells no will of whom it throws out: what he told last is not true."""
        cp = identity.removeprefix("cp/").partition("/")[0]
        told = dict(zip(of_cp(cp), STATUS_KINDS, strict=True)).get(identity)
        if told is not None:
            self._bus.publish(topics.clear(told, cp=cp))

    def may_tell(
        self, status: m.EngineStatus | m.MonitorStatus, known: m.DesiredCp | None
    ) -> bool:  # fmt: skip
        """Whether it is the word of who is in."""
        if known is None or known.revoked:
            return False
        return not self._accounts.is_shut_out(of_cp(status.cp)[STATUS_KINDS.index(type(status))])

    def may_report(self, report: m.ReconcileReport, known: m.DesiredCp | None) -> bool:
        """Whether its host has not said too much."""
        cost = A_STRANGE_REPORT if known is None else 1.0
        if report.host == self._centre or self._reports.take(report.host, cost):
            return True
        self.shut_out({of_host(report.host): "reports"})
        return False
