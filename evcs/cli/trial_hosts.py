"""The machines of a trial: a centre, and where hosts are asked for others that have joined it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from evcs.adapters import network_namespaces
from evcs.adapters.network_namespaces import FIRST, Wire
from evcs.cli import join, supervision, tls
from evcs.cli.common import CommandContext
from evcs.cli.supervision import quiet
from evcs.cli.temporary_system import temporary_system
from evcs.config import Settings
from evcs.core.hosts import TTL_S
from evcs.core.join_file import JoinFile
from evcs.core.placement import MAIN


class Machines:
    """A home each. `of`: host -> its settings, the centre's first."""

    def __init__(self, homes: Sequence[Settings], wire: Wire | None = None) -> None:
        names = [MAIN, *(f"h{number}" for number in range(FIRST + 1, FIRST + len(homes)))]
        self.of = dict(zip(names, homes, strict=True))
        self._numbers = dict(zip(names, itertools.count(FIRST), strict=False))
        self._wire = wire
        if wire is not None:
            address, centre = wire.address(FIRST), homes[0]
            self.of[MAIN] = centre._replace(mqtt_listen=address, http_listen=address)
            tls.make(self.centre, tls.wanted_names(self.centre), renew=False)

    @property
    def centre(self) -> Settings:
        """Of the machine that has broker, Registry, Central and page."""
        return self.of[MAIN]

    @property
    def hosts(self) -> list[str]:
        """All, the centre first."""
        return [*self.of]

    def join(self, ctx: CommandContext) -> None:
        """Have the others join the centre, which runs, and start them."""
        for name in self.hosts[1:]:
            given, before = self._invitation(ctx, name), self.of[name]
            joined = join.joined(before, given)
            self.of[name] = before._replace(
                host=joined.host, centre=joined.centre, registry_port=given.registry_port,
                mqtt_tls_port=given.mqtt_tls_port,
            )  # fmt: skip
            self.start(name)

    def _invitation(self, ctx: CommandContext, name: str) -> JoinFile:
        made, centre = ctx.registry.invite_host(name, TTL_S), self.centre
        return JoinFile(
            name, centre.address, centre.mqtt_tls_port, centre.registry_port, made["secret"],
            made["invited_until"], centre.home.ca.read_text(encoding="ascii"),
        )  # fmt: skip

    def start(self, *names: str) -> None:
        """Start these, all at once, as far as they don't run. Raises EvcsError."""
        with ThreadPoolExecutor(len(self.of)) as pool:
            list(pool.map(self._start, names))

    def _start(self, name: str) -> None:
        with ExitStack() as stack:
            if self._wire is not None:
                namespace = self._wire.namespace(self._numbers[name])
                stack.enter_context(network_namespaces.inside(namespace))
            supervision.start(self.of[name], quiet)

    def kill(self, names: Sequence[str]) -> None:
        """Cut the power of machines, of one after the other."""
        for name in names:
            supervision.kill_everything(self.of[name])

    def cut(self, name: str) -> None:
        """Cut a machine's line; the centre's is that of all."""
        if self._wire is not None:
            self._wire.cut(self._numbers[name])

    def mend(self, name: str) -> None:
        """Put it together again."""
        if self._wire is not None:
            self._wire.mend(self._numbers[name])


@contextmanager
def machines(hosts: int, time_scale: float) -> Iterator[Machines]:
    """A centre and so many others, not started yet; whatever runs there at the end is ended.

    With others each is a network namespace, and what the block starts is the centre's. Raises
    EvcsError where none may be made.
    """
    with ExitStack() as stack:
        wire = stack.enter_context(network_namespaces.wire(1 + hosts)) if hosts else None
        homes = [stack.enter_context(temporary_system(time_scale)) for _ in range(1 + hosts)]
        if wire is not None:
            stack.enter_context(network_namespaces.inside(wire.namespace(FIRST)))
        yield Machines(homes, wire)
