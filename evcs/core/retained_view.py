"""What the broker keeps, as heard over the present connection: is it whole, and is it still so?

Statuses, desired and judged states are retained, so whoever connects is told them all, then his
own birth, which he publishes behind his subscriptions: with that echo the snapshot is whole. The
Registry's birth comes behind all that it wants, so its list is whole with that, or, where the
broker kept the list, with the snapshot; after its will it tells all anew. Here alone are the
answers to three questions:

- is the snapshot whole (`whole`), is the Registry's list (`listed`)?
- is this will older than that birth (`take` gives False)? A broker may publish the will of an old
  connection after the birth of the next process; `boot` tells them apart.
- was this heard since we connected (`stale`)? What wasn't may be gone: a will or a
  clearing that came while nobody listened is not told again.
"""

from __future__ import annotations

from evcs.core.messages import (
    Circuit,
    Cleared,
    CpState,
    DesiredCp,
    DesiredHost,
    EngineStatus,
    Message,
    MonitorStatus,
    ReconcileReport,
    ServiceStatus,
)

OF_REGISTRY = (DesiredCp, Circuit, DesiredHost)
KINDS = (*OF_REGISTRY, CpState, EngineStatus, MonitorStatus, ReconcileReport)


class RetainedView:
    """The view of who is born with `boot`. It takes each message, in order, before anybody else."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._fresh: dict[type, set[str]] = {kind: set() for kind in KINDS}
        self._known: dict[type, set[str]] = {kind: set() for kind in KINDS}
        self._boots: dict[tuple[type, str], str] = {}
        self._echoed = self._registry_listed = False

    @property
    def whole(self) -> bool:
        """Whether all that the broker kept at our connection has come."""
        return self._echoed

    @property
    def listed(self) -> bool:
        """Whether all that the Registry wants has come."""
        return self._echoed and self._registry_listed

    def connected(self) -> None:
        """A new connection: all is about to be told."""
        for fresh in self._fresh.values():
            fresh.clear()
        self._echoed = self._registry_listed = False

    def disconnected(self) -> None:
        """Nothing comes any more, so what is there may be no longer so."""
        self._echoed = False

    def take(self, message: Message | Cleared, retained: bool) -> bool:
        """Note a message; False where it is to be passed over, a will older than a birth."""
        if isinstance(message, (EngineStatus, MonitorStatus)):
            if not self._is_news(type(message), message.cp, message):
                return False
            self._mark_fresh(type(message), message.cp)
        elif isinstance(message, (DesiredCp, CpState, ReconcileReport)):
            self._mark_fresh(type(message), message.cp)
        elif isinstance(message, Circuit):
            self._mark_fresh(Circuit, message.name)
        elif isinstance(message, DesiredHost):
            self._mark_fresh(DesiredHost, message.host)
        elif isinstance(message, Cleared):
            self._clear(message)
        elif isinstance(message, ServiceStatus):
            # What the broker kept of a service is the last word there is on it.
            if not self._is_news(ServiceStatus, message.service, message) and not retained:
                return False
            self._on_service(message, retained)
        return True

    def stale(self, kind: type) -> set[str]:
        """CPs (circuits, hosts) of which such a message came over an earlier connection only."""
        known, fresh = self._known[kind], self._fresh[kind]
        # What is fresh is known: mostly it is all.
        return known - fresh if len(fresh) < len(known) else set()

    def forget(self, kind: type, cp: str) -> None:
        """What was known is no longer held for true."""
        self._known[kind].discard(cp)
        self._fresh[kind].discard(cp)
        self._boots.pop((kind, cp), None)

    def _mark_fresh(self, kind: type, who: str) -> None:
        self._fresh[kind].add(who)
        self._known[kind].add(who)

    def _clear(self, cleared: Cleared) -> None:
        key = cleared.key
        who = key.get("cp", key.get("name", key.get("host")))
        if cleared.kind in KINDS and who is not None:
            self.forget(cleared.kind, who)

    def _is_news(
        self, kind: type, who: str, status: EngineStatus | MonitorStatus | ServiceStatus
    ) -> bool:
        """A birth always; a will, where no later process was born. `_boots` has who is there."""
        key = (kind, who)
        alive = self._boots.get(key)
        if status.online:
            self._boots[key] = status.boot
        elif alive is not None and alive != status.boot:
            return False
        else:
            self._boots.pop(key, None)
        return True

    def _on_service(self, status: ServiceStatus, retained: bool) -> None:
        if status.service == "registry":
            self._registry_listed = retained or status.online
            if not self._registry_listed:  # when it is back it tells its whole list anew
                for kind in OF_REGISTRY:
                    self._fresh[kind].clear()
        elif status.online and status.boot == self._boot:
            self._echoed = True
