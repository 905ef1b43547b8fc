"""Identities of all that is wanted: their secrets, and whom the broker lets in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from evcs.core import stations
from evcs.core.identities import of_all, of_cp, of_driver, of_station
from evcs.core.messages import DesiredCp
from evcs.core.service_ports import BrokerAccounts, SecretStore
from evcs.services.registry.changes import Batch

SHUT_OUT_S = 30.0
LOOK_AT_ONCE = 1_000

_log = logging.getLogger("evcs")


class Accounts:
    """What the secrets are by the store, so that what other hands do to them is put right.

    `due_in_s`: in how many seconds to `keep` again, None where nothing is left to do.
    """

    def __init__(
        self, secrets: SecretStore, broker: BrokerAccounts, monotonic: Callable[[], float],
        cps: Iterable[DesiredCp], drivers: Iterable[str],
    ) -> None:  # fmt: skip
        self.due_in_s: float | None = None
        self._secrets, self._broker, self._monotonic = secrets, broker, monotonic
        #: Who floods the bus, and until when he is shut out.
        self._shut_out: dict[str, float] = {}
        #: Whose secrets are still to be looked at, before all are once more.
        self._unseen: list[str] = []
        known = list(cps)
        # A kill between a secret and its commit leaves a secret of nobody.
        secrets.remove(*map(_of, set(secrets.names("cp")) - {cp.id for cp in known}))
        self._passwords = {who: secrets.ensure(who) for who in of_all(known, drivers)}
        #: Of stations, which are nobody on the bus.
        self._keys = {who: secrets.ensure(who) for who in map(of_station, stations.of(known))}

    def create(self, batch: Batch) -> dict[str, str]:
        """New secrets for what a batch makes or rekeys, identity -> password. Raises OSError."""
        cps = {**dict.fromkeys(batch.created), **batch.rekeyed}
        made = [who for cp in cps for who in of_cp(cp)]
        made += map(of_driver, batch.drivers_made)
        made += map(of_station, [*batch.stations, *batch.keys])
        return self._secrets.create_all(made)

    def undo(self, batch: Batch) -> None:
        """The batch was not committed."""
        made = [*map(of_driver, batch.drivers_made), *map(of_station, batch.stations)]
        self._secrets.remove(*map(_of, batch.created), *made)
        # On a disk that takes nothing the new ones stay; the next look puts the old ones back.
        with suppress(OSError):
            known = self._passwords | self._keys
            rekeyed = [who for cp in batch.rekeyed for who in of_cp(cp)]
            for identity in (*rekeyed, *map(of_station, batch.keys)):
                if identity in known:
                    self._secrets.restore(identity, known[identity])

    def take_over(self, batch: Batch, fresh: dict[str, str]) -> None:
        """The batch is committed, with these new secrets."""
        for station in map(of_station, {*batch.stations, *batch.keys}):
            self._keys[station] = fresh.pop(station)
        self._passwords.update(fresh)
        for cp in {*batch.gone, *(one.id for one in batch.cps.values() if one.revoked)}:
            for identity in of_cp(cp):
                self._passwords.pop(identity, None)
        self._secrets.remove(*map(_of, batch.gone))
        for driver in batch.drivers_gone:
            self._passwords.pop(of_driver(driver), None)
        self.keep()

    def remove_drivers(self, drivers: Collection[str], told: Callable[[str], bool]) -> None:
        """Remove the secrets of all but these drivers, once it is told that they are gone.

        So a kill in between leaves a secret of nobody, and it is told at the next connection.
        """
        for driver in set(self._secrets.names("driver")).difference(drivers):
            if told(driver):
                self._secrets.remove(of_driver(driver))

    def remove_stations(self, there: Collection[str], told: Callable[[str], bool]) -> None:
        """The same of stations."""
        for station in set(self._secrets.names("station")).difference(there):
            self._keys.pop(of_station(station), None)
            if told(station):
                self._secrets.remove(of_station(station))

    def look(self) -> None:
        """Put right what was lost or changed by other hands; of many some at a time."""
        self._unseen = self._unseen or [*self._passwords, *self._keys]
        seen, self._unseen = self._unseen[:LOOK_AT_ONCE], self._unseen[LOOK_AT_ONCE:]
        for identity in seen:
            password = self._passwords.get(identity) or self._keys.get(identity)
            if password is not None and self._secrets.restore(identity, password):
                _log.error("identity=%s had lost its secret; put back", identity)
        self.keep()

    def keep(self) -> None:
        """Have the broker let in who may be on the bus, and nobody else."""
        now = self._monotonic()
        self._shut_out = {who: until for who, until in self._shut_out.items() if until > now}
        accounts = self._passwords
        if self._shut_out:
            accounts = {who: word for who, word in accounts.items() if who not in self._shut_out}
        self.due_in_s = self._broker.keep(accounts)

    def shut_out(self, identity: str) -> None:
        """Keep somebody away for a while."""
        self._shut_out[identity] = self._monotonic() + SHUT_OUT_S
        _log.error("%s floods the bus; shut out for %d s", identity, SHUT_OUT_S)
        self.keep()

    def broker_is_there(self) -> None:
        """An earlier run, or this one, may have lost it between the file and its reading."""
        self._broker.read_again()
        self.keep()

    def broker_left(self) -> None:
        """It reads its accounts when it starts."""
        self._broker.left()
        self.keep()


def _of(cp: str) -> str:
    """Where both secrets of a CP are."""
    return f"cp/{cp}"
