"""Changes of hosts in a batch: invited, joined, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evcs.core import audit, hosts, placement
from evcs.core.errors import BadValue, Conflict, Denied, NotFound
from evcs.core.hosts import Host
from evcs.core.ids import same
from evcs.core.messages import DesiredCp
from evcs.services.registry.changes import Batch

SHOWN = 5
LIST = "list them with: evcs host list"


def invite(batch: Batch, given: object, secret: str) -> Host:
    """A host, new or there already, that may join with this secret; `given`: name, ttl_s."""
    if not isinstance(given, Mapping) or not {"name"} <= given.keys() <= {"name", "ttl_s"}:
        raise BadValue("a host needs a name, and may have a ttl_s", 'such as {"name": "h2"}')
    name, ttl_s = hosts.check_name(given["name"]), hosts.check_ttl(given.get("ttl_s", hosts.TTL_S))
    taken = next((one for one in batch.hosts.now if same(one) == same(name)), name)
    if taken != name:
        raise Conflict(f"host {taken} exists already", LIST)
    before = batch.hosts.now.get(name) or Host(name)
    found = hosts.invited(before, secret, ttl_s, batch.at)
    batch.put_host(found, audit.Change(batch.who, "host add", None, name))
    return found


def join(batch: Batch, secret: str) -> Host:
    """The host whose invitation that is, with a new secret. Raises Denied.

    Where it had joined before its CPs get new ones, too: that machine may run on.
    """
    for host in batch.hosts.now.values():
        if hosts.may_join(host, secret, batch.at):
            found = hosts.joined(host, batch.at)
            batch.hosts_joined.append(host.name)
            for cp in batch.now().values():
                if placement.wanted_here(cp, host.name):
                    batch.rekey(cp.id)
            batch.put_host(found, audit.Change(f"manager/{host.name}", "host join", None))
            return found
    raise Denied("that invitation is used, over, or of another centre", "there: evcs host add")


def remove(batch: Batch, name: str, lost_to: str | None = None) -> None:
    """A host that has no CP; with `lost_to`, one that is gone for good, whose CPs go there.

    They get new secrets: what comes back of the machine is nobody any more.
    """
    if name not in batch.hosts.now:
        raise NotFound(f"no host {name[:40]!a}", LIST)
    mine = [cp for cp in batch.now().values() if name in (cp.host, placement.holder(cp).host)]
    if lost_to is None and mine:
        more = f" and {len(mine) - SHOWN} more" if len(mine) > SHOWN else ""
        text = f"host {name} has {', '.join(sorted(cp.id for cp in mine)[:SHOWN])}{more}"
        raise Conflict(text, f"{_way_out(name, mine)}; or: --lost, if it is gone")
    if lost_to is not None:
        if lost_to == name:
            raise Conflict(f"host {name} is the one that is lost", "name another")
        if not batch.has_host(lost_to):
            raise NotFound(f"no host {lost_to[:40]!a} that has joined", LIST)
        for cp in mine:
            batch.rescue(cp, lost=name, goal=lost_to)
    batch.drop_host(name, audit.Change(batch.who, "host remove", None, name))


def _way_out(name: str, cps: Sequence[DesiredCp]) -> str:
    """How a host gets rid of them: what waits for a back end can't be moved with its CP."""
    if all(cp.backend for cp in cps):
        some = " ".join(sorted(cp.id for cp in cps)[:SHOWN])
        return f"who has a back end does not move: evcs-cp delete {some}"
    return f"evcs host drain {name} --to HOST"
