"""A line that loses packets and is late: between two taps, of which a thread hands frames on.

tc's netem would need a kernel that has it. A machine keeps its address on another line, so that
what is connected stays so.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from evcs.adapters.network_namespaces import inside

LOSS, DELAY_S, SEED = 0.05, 0.2, 1
#: From linux/if_tun.h.
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_FRAME, _LOOK_EVERY_S = 65_536, 0.1


class RoughLine:
    """Hands frames on, each way, until it is closed."""

    def __init__(self, one: int, other: int) -> None:
        self.handed_on = self.lost = 0
        self._to = {one: other, other: one}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hand_on, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Whatever is under way is lost."""
        self._over.set()
        self._thread.join()

    def _hand_on(self) -> None:
        chance, late = random.Random(SEED), deque[tuple[float, int, bytes]]()
        while not self._over.is_set():
            now = time.monotonic()
            while late and late[0][0] <= now:
                _, end, frame = late.popleft()
                os.write(end, frame)
                self.handed_on += 1
            wait_s = min(late[0][0] - now, _LOOK_EVERY_S) if late else _LOOK_EVERY_S
            for end in select.select([*self._to], [], [], wait_s)[0]:
                frame = os.read(end, _FRAME)
                if chance.random() < LOSS:
                    self.lost += 1
                else:
                    late.append((time.monotonic() + DELAY_S, self._to[end], frame))


@contextmanager
def rough_line(centre: str, machine: str, address: str) -> Iterator[RoughLine]:
    """Between these namespaces, in the place of the machine's `wire`, for a `with` block."""
    with ExitStack() as stack:
        ends = [_tap(name) for name in (centre, machine)]
        for end in ends:
            stack.callback(os.close, end)
        stack.callback(_ip, machine, "link", "set", "wire", "up")
        _ip(machine, "link", "set", "wire", "down")
        _ip(machine, "addr", "add", f"{address}/24", "dev", "rough")
        _ip(machine, "link", "set", "rough", "address", _mac(machine), "up")
        _ip(centre, "link", "set", "rough", "master", "wire", "up")
        line = RoughLine(*ends)
        stack.callback(line.close)
        yield line


def _tap(namespace: str) -> int:
    """A device in there, for as long as it is open."""
    with inside(namespace):
        end = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", b"rough", _IFF_TAP | _IFF_NO_PI))
    return end


def _mac(namespace: str) -> str:
    words = _ip(namespace, "-o", "link", "show", "wire").split()
    return words[words.index("link/ether") + 1]


def _ip(namespace: str, *words: str) -> str:
    done = subprocess.run(
        ["ip", "-n", namespace, *words], capture_output=True, text=True, check=True
    )
    return done.stdout
