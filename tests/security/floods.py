"""Bad messages by the thousand, and one sender that never stops."""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**15, 10**15 + 1, -(10**30), 10**400, 0.5, 1e308, -0.0,
    float("nan"), float("inf"), "", "x", "CP-001", "..", "a/b", "#", "+", "\0", "\x1b[31m", "\n",
    "\ud800", "A" * 4097, "A" * 60_000, [], {}, [1], {"a": {}}, [[[[]]]], "ended", "started",
    "charge", "stop", "close", "0.30", "1e9", "true",
)  # fmt: skip
RAW = (
    b"", b" ", b"{", b"}", b"[]", b"7", b"null", b'"x"', b"\xff\xfe\xfd", b"\xef\xbb\xbf{}",
    b"\x00" * 100, b"[" * 30_000, b'{"a":' * 10_000, b'{"online":NaN}', b'{"seq":1e999}',
    b'{"verb":"charge","verb":"stop"}', b'{"a":"\\ud800"}', b"{}" * 100, b"{" + b" " * 60_000,
)  # fmt: skip


def mutated(good: dict[str, Any], dice: random.Random) -> bytes:
    """A message that was like `good` once; now and then a good one."""
    kind = dice.randrange(6)
    if kind == 0:
        return dice.choice(RAW)
    if kind == 1:
        return dice.randbytes(dice.randrange(1, 200))
    found = dict(good)
    for _ in range(dice.randrange(1, 4)):
        name = dice.choice(list(found) or ["x"])
        if dice.random() < 0.2:
            found.pop(name, None)
        elif dice.random() < 0.2:
            found[f"{name}{dice.randrange(9)}"] = dice.choice(ODD)
        else:
            found[name] = dice.choice(ODD)
    raw = json.dumps(found).encode()
    if kind == 2:
        place = dice.randrange(len(raw))
        raw = raw[:place] + dice.randbytes(1) + raw[place + 1 :]
    elif kind == 3:
        raw = raw[: dice.randrange(len(raw))]
    return raw[:65_000]


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _packet(head: int, body: bytes) -> bytes:
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | 128 if left else low])
        if not left:
            return bytes([head]) + length + body


def connect(port: int, identity: str, secret: str) -> socket.socket:
    """A connection that speaks just enough MQTT 3.1.1 to write as fast as can be."""
    sock = socket.create_connection(("127.0.0.1", port))
    body = _text("MQTT") + bytes([4, 0b1100_0010, 0, 0]) + _text("") + _text(identity)
    sock.sendall(_packet(0x10, body + _text(secret)))
    if sock.recv(4)[3] != 0:
        raise ConnectionError("refused")
    return sock


def flood(port: int, identity: str, secret: str, a_second: int, seconds: float) -> None:
    """Messages from one CP on all its Engine's topics, so many a second, while it is let."""
    branch = f"evcs/v1/{identity}"
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("meter", {"session_id": "S", "seq": 1, "energy_wh": 1, "power_w": 1, "voltage_v": 1.0,
                   "current_a": 1.0}),
        ("session", {"event": "ended", "session_id": "S", "seq": 1, "energy_wh": 1}),
        ("status", {"online": True, "boot": "x", "session_id": "S", "fault": "flood"}),
        ("status", {"online": True, "boot": "x"}),
        ("reply", {"id": "x", "ok": True}),
    ]  # fmt: skip
    packets = [
        _packet(0x30, _text(f"{branch}/{name}") + json.dumps(body).encode()) for name, body in kinds
    ]
    with connect(port, identity, secret) as sock:
        begun, sent = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            due = int(passed * a_second) - sent
            try:
                sock.sendall(b"".join(packets[(sent + i) % len(packets)] for i in range(due)))
            except OSError:
                break  # shut out
            sent += due
            time.sleep(0.005)
    sys.stdout.write(f"{sent} sent in {passed:.2f} s\n")


if __name__ == "__main__":
    flood(int(sys.argv[1]), sys.argv[2], sys.stdin.readline().strip(), int(sys.argv[3]),
          float(sys.argv[4]))  # fmt: skip
