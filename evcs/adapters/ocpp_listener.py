"""The socket that chargers dial in to: how many may be connected that nobody has let in yet.

Before it has shown who it is a connection costs up to a megabyte, most of it TLS's. So of those
that are not let in there is room for some: who comes then takes the place of who waited longest
at the address that has most of them, so that nobody's flood displaces a slow charger elsewhere.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections import Counter
from contextlib import suppress
from typing import Any

MOST_STRANGERS = 256
#: So many are taken up in one turn of the loop: who shows at once who it is has the time to.
A_TURN = 32
#: What asyncio leaves of a TLS connection is a cycle of few objects and 256 KiB: the collector,
#: which counts objects, would let a thousand of them lie.
COLLECT_EVERY = 500


class Listener(socket.socket):
    """Bound, and not listening yet. Raises OSError where the address can't be had."""

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        super().__init__(family, kind, protocol)
        self._strangers: dict[Any, socket.socket] = {}
        self._taken = self._count = 0
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.bind(address)
        except OSError:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """The next, as asyncio's server asks for it. Raises BlockingIOError: in the next turn."""
        if self._taken >= A_TURN:
            raise BlockingIOError
        found, address = super().accept()
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._taken, self._count = self._taken + 1, self._count + 1
        if self._count % COLLECT_EVERY == 0:
            gc.collect()
        self._strangers[address] = stranger = _Stranger(self, address, found)
        if len(self._strangers) > MOST_STRANGERS:
            self._turn_away()
        return stranger, address

    def let_in(self, address: Any) -> None:
        """It has shown who it is, or is gone."""
        self._strangers.pop(address, None)

    def _turn_away(self) -> None:
        ((host, _),) = Counter(address[0] for address in self._strangers).most_common(1)
        address = next(one for one in self._strangers if one[0] == host)
        with suppress(OSError):  # it may be gone by itself
            self._strangers.pop(address).shutdown(socket.SHUT_RDWR)

    def _next_turn(self) -> None:
        self._taken = 0


class _Stranger(socket.socket):
    """A connection that says when it is closed."""

    def __init__(self, listener: Listener, address: Any, found: socket.socket) -> None:
        super().__init__(found.family, found.type, found.proto, found.detach())
        self._listener, self._address = listener, address

    def close(self) -> None:
        """Its place is free."""
        self._listener.let_in(self._address)
        super().close()
