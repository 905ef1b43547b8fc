"""What the bus says, put together to one row a CP. Pure: messages and times come in.

After a connection anew, all that is retained is told again. What was known before stays
until the Registry's whole list has come (core.retained_view), so a restart of the broker
never empties a page; then what it no longer names is dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from evcs.core import desired
from evcs.core import messages as m
from evcs.core.charge_point import OCPP_STATUS, State
from evcs.core.cp_row import Word, row
from evcs.core.identities import of_host
from evcs.core.placement import holder
from evcs.core.retained_view import RetainedView
from evcs.services.web.circuits import CircuitPicture
from evcs.services.web.hosts import HostPicture

NOT_JUDGED = Word(State.DISCONNECTED, OCPP_STATUS[State.DISCONNECTED], "not judged by Central yet")


class Presence(NamedTuple):
    """Whether a service is there, and since when it is so."""

    up: bool
    since: str | None = None
    version: str | None = None


class RowChanges(NamedTuple):
    """CPs whose row may be another one now, and CPs that are no more.

    `passed`: what Central said of a CP that was broken down for less than a batch.
    """

    changed: frozenset[str]
    removed: frozenset[str]
    passed: dict[str, m.CpState]


class FleetSnapshot:
    """The present picture. `boot` is the web process's own, by which it knows its echo.

    `ready`: the Registry's whole list has been seen once, so that no CP means none exists.
    """

    def __init__(self, boot: str) -> None:
        self.services: dict[str, Presence] = {
            name: Presence(False) for name in ("broker", "registry", "central")
        }
        self.ready = False
        #: How often something was heard of drivers, so that a page knows when to ask for them.
        self.drivers = 0
        self.circuits = CircuitPicture()
        self._hosts = HostPicture()
        self._stations: dict[str, m.StationStatus] = {}
        self._view = RetainedView(boot)
        self._desired: dict[str, m.DesiredCp] = {}
        self._judged: dict[str, m.CpState] = {}
        #: (CP, host) -> what that host's CP Manager made of it.
        self._applied: dict[tuple[str, str], m.ReconcileReport] = {}
        self._boots: dict[tuple[str, type], str | None] = {}
        self._changed: set[str] = set()
        self._removed: set[str] = set()
        self._untold: set[str] = set()
        self._passed: dict[str, m.CpState] = {}

    def connected(self, now: str) -> None:
        """The bus is there: everything is about to be told again."""
        self._view.connected()
        self._stations.clear()
        self._set_presence("broker", Presence(True, now))

    def disconnected(self, now: str) -> None:
        """Nothing is known of anyone any more; the rows stay as they were last seen."""
        self._view.disconnected()
        for name in self.services:
            self._set_presence(name, Presence(False, now))

    def message(self, message: m.Message | m.Cleared, retained: bool, now: str) -> None:
        """Take one message up."""
        if not self._view.take(message, retained):
            return
        self.circuits.take(message)
        self._hosts.take(message)
        if isinstance(message, m.DesiredDriver):
            self.drivers += 1
        elif isinstance(message, m.CpState):
            self._on_judged(message)
        elif isinstance(message, m.DesiredCp):
            self._on_desired(message)
        elif isinstance(message, m.ReconcileReport):
            self._applied[message.cp, message.host] = message
            self._touch(message.cp)
        elif isinstance(message, (m.EngineStatus, m.MonitorStatus)):
            self._set_boot((message.cp, type(message)), message.boot if message.online else None)
        elif isinstance(message, m.StationStatus):
            self._stations[message.station] = message
        elif isinstance(message, m.ServiceStatus):
            self._on_service(message, now)
        elif isinstance(message, m.DesiredHost) and message.joined_at is not None:
            self.services.setdefault(of_host(message.host), Presence(False))
        elif isinstance(message, m.Cleared):
            self._on_cleared(message)

    def ids(self) -> list[str]:
        """All CPs that are wanted."""
        return sorted(self._desired)

    def station_of(self, cp: str) -> str | None:
        """The station of a real charger."""
        wanted = self._desired.get(cp)
        return wanted.station if wanted else None

    def station_rows(self) -> list[dict[str, Any]]:
        """What stations said of themselves; none is there while its gateway is not."""
        found = []
        for _, one in sorted(self._stations.items()):
            gateway = self.services.get(f"gateway/{one.host}")
            there = one.online and gateway is not None and gateway.up
            found.append({**one._replace(online=there)._asdict()})
            del found[-1]["key"]
        return found

    def host_rows(self) -> dict[str, dict[str, Any]]:
        """The centre and the other machines, by name."""
        return self._hosts.rows(Counter(cp.host for cp in self._desired.values()))

    def row(self, cp: str, passed: m.CpState | None = None) -> dict[str, Any] | None:
        """A CP as the contract's JSON has it, desired and judged (or `passed`) together."""
        wanted = self._desired.get(cp)
        if wanted is None:
            return None
        judged = passed or self._judged.get(cp)
        return {
            **row(desired.to_json(wanted), judged, NOT_JUDGED),
            "engine": self._boots.get((cp, m.EngineStatus)),
            "monitor": self._boots.get((cp, m.MonitorStatus)),
            **self._applied_to(wanted),
        }

    def drain(self) -> RowChanges:
        """What has changed since the last call.

        A CP that broke down and came back since then is given as broken down once, and as
        it is at the next call: a fault that nobody sees is worse than one seen a second late.
        """
        changed = frozenset(self._changed & self._desired.keys())
        changes = RowChanges(changed, frozenset(self._removed), self._passed)
        self._changed, self._removed = set(self._passed), set()
        self._untold, self._passed = set(), {}
        return changes

    def _applied_to(self, wanted: m.DesiredCp) -> dict[str, Any]:
        """What the CP Manager made of it; no word yet where an edit is newer than its report.

        While it moves and its new place has not spoken, the old one's.
        """
        cp, revision = wanted.cp, wanted.revision
        places = (wanted.host, holder(wanted).host)
        told = (self._applied.get((cp, host)) for host in places)
        applied = next((one for one in told if one is not None), None)
        if applied is None:
            return {"applied": None, "apply_error": None}
        if not applied.ok:
            return {"applied": False, "apply_error": applied.error or "failed"}
        return {"applied": True if applied.revision >= revision else None, "apply_error": None}

    def _touch(self, cp: str) -> None:
        self._changed.add(cp)

    def _on_judged(self, judged: m.CpState) -> None:
        cp = judged.cp
        before = self._judged.get(cp)
        if (
            before is not None
            and cp in self._untold
            and before.state == State.BROKEN_DOWN
            and judged.state != State.BROKEN_DOWN
        ):
            self._passed[cp] = before
        self._judged[cp] = judged
        self._untold.add(cp)
        self._touch(cp)

    def _on_desired(self, wanted: m.DesiredCp) -> None:
        if wanted.deleted:
            self._drop(wanted.cp)
            return
        self._desired[wanted.cp] = wanted
        self._removed.discard(wanted.cp)
        self._touch(wanted.cp)

    def _drop(self, cp: str) -> None:
        if self._desired.pop(cp, None) is not None:
            self._removed.add(cp)

    def _set_boot(self, key: tuple[str, type], boot: str | None) -> None:
        if self._boots.get(key) != boot:
            self._boots[key] = boot
            self._touch(key[0])

    def _on_service(self, status: m.ServiceStatus, now: str) -> None:
        if status.service != "web":
            self._set_presence(status.service, Presence(status.online, now, status.version))
        if self._view.listed:
            for cp in self._view.stale(m.DesiredCp):
                self._view.forget(m.DesiredCp, cp)
                self._drop(cp)
            for name in self._view.stale(m.Circuit):
                self._view.forget(m.Circuit, name)
                self.circuits.drop(name)
            for host in self._view.stale(m.DesiredHost):
                self._view.forget(m.DesiredHost, host)
                self._hosts.drop(host)
                self.services.pop(of_host(host), None)
            self.ready = True

    def _set_presence(self, name: str, presence: Presence) -> None:
        before = self.services.get(name)
        if before is not None and before.up == presence.up and before.since is not None:
            presence = presence._replace(since=before.since)
        self.services[name] = presence

    def _on_cleared(self, gone: m.Cleared) -> None:
        cp = gone.key.get("cp", "")
        if gone.kind is m.DesiredDriver:
            self.drivers += 1
            return
        if gone.kind is m.StationStatus:
            self._stations.pop(gone.key["station"], None)
            return
        if gone.kind is m.ServiceStatus:
            self.services.pop(gone.key["service"], None)
            return
        if gone.kind is m.DesiredCp:
            self._drop(cp)
        elif gone.kind is m.CpState:
            self._judged.pop(cp, None)
        elif gone.kind is m.ReconcileReport:
            self._applied.pop((cp, gone.key["host"]), None)
        elif gone.kind in (m.EngineStatus, m.MonitorStatus):
            self._set_boot((cp, gone.kind), None)
        self._touch(cp)
