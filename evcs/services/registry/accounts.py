"""Identities of all that is wanted: their secrets, and whom the broker lets in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from evcs.core import stations
from evcs.core.hosts import Host, joined_of
from evcs.core.identities import (
    SERVICES,
    of_all,
    of_back_end,
    of_cp,
    of_driver,
    of_host,
    of_meter,
    of_next,
    of_station,
)
from evcs.core.messages import DesiredCp
from evcs.core.registry_ports import BrokerAccounts, SecretStore
from evcs.core.stations import key_id
from evcs.runtime.crash_points import crash_point
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
        cps: Iterable[DesiredCp], drivers: Iterable[str], circuits: Iterable[str],
        hosts: Mapping[str, Host],
    ) -> None:  # fmt: skip
        self.due_in_s: float | None = None
        self._secrets, self._broker, self._monotonic = secrets, broker, monotonic
        #: Who floods the bus, and until when he is shut out.
        self._shut_out: dict[str, float] = {}
        #: Whose secrets are still to be looked at, before all are once more.
        self._unseen: list[str] = []
        #: Whose could not be put back yet.
        self._lost: set[str] = set()
        known = list(cps)
        # A kill between a secret and its commit leaves a secret of nobody.
        secrets.remove(*map(_of, set(secrets.names("cp")) - {cp.id for cp in known}))
        managers = set(map(of_host, secrets.names("manager")))
        secrets.remove(*managers - {*SERVICES, *map(of_host, joined_of(hosts))})
        everyone = of_all(known, drivers, circuits, joined_of(hosts))
        self._passwords = {who: secrets.ensure(who) for who in everyone}
        #: Of stations, which are nobody on the bus, and the next ones of those that wait for one.
        self._keys = {who: secrets.ensure(who) for who in map(of_station, stations.of(known))}
        following = {who: secrets.find(who) for who in map(of_next, stations.of(known))}
        self._keys |= {who: key for who, key in following.items() if key}
        #: Station -> the key that its charger has, by its `key_id`.
        self._taken: dict[str, str] = {}

    def password(self, identity: str) -> str:
        """Somebody's password, "" where there is none."""
        return self._passwords.get(identity, "")

    def of_cps(self, cps: Iterable[DesiredCp]) -> dict[str, str]:
        """All that these CPs' processes have to show, to the broker and to their back ends."""
        found: dict[str, str] = {}
        for cp in cps:
            found |= {who: self.password(who) for who in of_cp(cp.id)}
            if cp.backend is not None:
                found |= {who: self._secrets.find(who) for who in of_back_end(cp.id)}
        return {who: secret for who, secret in found.items() if secret}

    def create(self, batch: Batch) -> dict[str, str]:
        """New secrets for what a batch makes or rekeys, identity -> password. Raises OSError."""
        cps = {**dict.fromkeys(batch.created), **batch.rekeyed}
        made = [who for cp in cps for who in of_cp(cp)]
        made += map(of_driver, batch.drivers_made)
        made += map(of_meter, batch.circuits.made)
        made += map(of_host, batch.hosts_joined)
        made += map(of_station, [*batch.stations, *batch.keys])
        # One that waits may be the charger's already: it is not replaced before that is known.
        made += {who for who in map(of_next, batch.next_keys) if who not in self._keys}
        # Who is shut out may have been told the next one.
        self._secrets.remove(*map(of_next, batch.keys))
        for who, secret in batch.back_end_secrets.items():
            self._secrets.restore(who, secret)
        return self._secrets.create_all(made)

    def undo(self, batch: Batch) -> None:
        """The batch was not committed."""
        made = [*map(of_driver, batch.drivers_made), *map(of_station, batch.stations)]
        made += map(of_meter, batch.circuits.made)
        made += (who for who in map(of_next, batch.next_keys) if who not in self._keys)
        self._secrets.remove(*map(_of, batch.created), *made)
        # On a disk that takes nothing the new ones stay; the next look puts the old ones back.
        with suppress(OSError):
            known = self._passwords | self._keys
            rekeyed = [who for cp in batch.rekeyed for who in of_cp(cp)]
            keys = (who for one in batch.keys for who in (of_station(one), of_next(one)))
            for identity in (*rekeyed, *keys, *map(of_host, batch.hosts_joined)):
                if identity in known:
                    self._secrets.restore(identity, known[identity])

    def take_over(self, batch: Batch, fresh: dict[str, str]) -> None:
        """The batch is committed, with these new secrets."""
        for who in [who for who in fresh if who.startswith(of_station(""))]:
            self._keys[who] = fresh.pop(who)
        for station in batch.keys:
            self._keys.pop(of_next(station), None)
        self._passwords.update(fresh)
        for cp in {*batch.gone, *(one.id for one in batch.cps.values() if one.revoked)}:
            for identity in of_cp(cp):
                self._passwords.pop(identity, None)
        self._secrets.remove(*map(_of, batch.gone))
        others = (*map(of_driver, batch.drivers_gone), *map(of_meter, batch.circuits.gone))
        hosts = tuple(map(of_host, batch.hosts.gone))
        for gone in (*others, *hosts):
            self._passwords.pop(gone, None)
        self._secrets.remove(*hosts)
        self.keep()

    def gone(self, kind: str, there: Collection[str]) -> set[str]:
        """Whoever of a kind has a secret and is not there: nobody any more."""
        found = set(self._secrets.names(kind)).difference(there)
        for station in found if kind == "station" else ():
            self._taken.pop(station, None)
            for who in (of_station(station), of_next(station)):
                self._keys.pop(who, None)
        return found

    def remove(self, kind: str, name: str) -> None:
        """Remove the secrets of one who is gone."""
        self._secrets.remove(f"{kind}/{name}", *([of_next(name)] if kind == "station" else ()))

    def taken(self, station: str, key: str) -> None:
        """A station's charger has this key: where that is the next one, the one before is over."""
        self._taken[station] = key
        self._pass_on(station, key)

    def _pass_on(self, station: str, key: str) -> None:
        """The next key is the key, where its charger has that one."""
        following = self._keys.get(of_next(station), "")
        if not following or key_id(following) != key:
            return
        try:
            self._secrets.restore(of_station(station), following)
            crash_point("registry.key_taken")
            self._secrets.remove(of_next(station))
        except OSError as error:  # both are good until the next look
            _log.error("station=%s: its new key can't be written: %s", station, error.strerror)
        else:
            self._keys[of_station(station)] = self._keys.pop(of_next(station))
            _log.info("station=%s has its new key", station)

    def look(self) -> None:
        """Put right what was lost or changed by other hands; of many some at a time."""
        for station, key in self._taken.items():
            self._pass_on(station, key)
        self._unseen = self._unseen or [*self._passwords, *self._keys]
        seen, self._unseen = self._unseen[:LOOK_AT_ONCE], self._unseen[LOOK_AT_ONCE:]
        for identity in seen:
            password = self._passwords.get(identity) or self._keys.get(identity)
            if password is not None:
                self._put_back(identity, password)
        self.keep()

    def _put_back(self, identity: str, password: str) -> None:
        """Put a secret back if it was lost; once the disk takes it."""
        try:
            if self._secrets.restore(identity, password):
                _log.error("identity=%s had lost its secret; put back", identity)
                self._lost.discard(identity)
        except OSError as error:
            if identity not in self._lost:
                _log.error("identity=%s has lost its secret; not put back: %s", identity, error)
                self._lost.add(identity)

    def keep(self) -> None:
        """Have the broker let in who may be on the bus, and nobody else."""
        now = self._monotonic()
        self._shut_out = {who: until for who, until in self._shut_out.items() if until > now}
        accounts = self._passwords
        if self._shut_out:
            accounts = {who: word for who, word in accounts.items() if who not in self._shut_out}
        self.due_in_s = self._broker.keep(accounts)

    def shut_out(self, identities: Iterable[str]) -> None:
        """Keep some away for a while."""
        for identity in identities:
            self._shut_out[identity] = self._monotonic() + SHUT_OUT_S
            _log.error("%s floods the bus; shut out for %d s", identity, SHUT_OUT_S)
        self.keep()

    def is_shut_out(self, identity: str) -> bool:
        """Whether somebody is kept away just now."""
        return identity in self._shut_out

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
