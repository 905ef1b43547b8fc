"""What the Registry tells of hosts, and what it takes away of those that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.hosts import Hosts, told
from evcs.core.identities import of_host
from evcs.services.registry.changes import Batch


def of(batch: Batch) -> Iterator[m.Message | topics.Publication]:
    """What is told of a batch that is committed."""
    for host in batch.hosts.changed:
        yield told(host)
    for name, cp in batch.lost:
        yield topics.clear(m.ReconcileReport, host=name, cp=cp)
    for name in batch.hosts.gone:
        yield topics.clear(m.DesiredHost, host=name)
        yield topics.clear(m.ServiceStatus, service=of_host(name))


def left_behind(message: m.Message | m.Cleared, hosts: Hosts) -> topics.Publication | None:
    """What takes a message away that is kept of a host that is none any more.

    The will of one comes after its removal; a Registry that is killed may leave the rest.
    """
    if isinstance(message, m.DesiredHost):
        if message.host not in hosts.others:
            return topics.clear(m.DesiredHost, host=message.host)
    elif isinstance(message, m.ReconcileReport):
        if not hosts.has(message.host):
            return topics.clear(m.ReconcileReport, host=message.host, cp=message.cp)
    elif isinstance(message, m.ServiceStatus):
        name = message.service.partition("/")[2]
        if message.service == of_host(name) and not hosts.has(name):
            return topics.clear(m.ServiceStatus, service=message.service)
    return None
