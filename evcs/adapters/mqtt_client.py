"""paho's client on a loop of ours: it logs in, subscribes and leaves.

What each connection and message costs the most of is read and written beside it, on the same socket
(evcs/adapters/mqtt_packets.py). It runs by paho's socket callbacks, as it has them for loops of
others. paho has no public place for a socket of one's own, so `_create_unix_socket_connection` is
its own no more: that waits without end for a broker whose backlog is full.
`test_a_queue_that_is_full_is_no_loss_and_is_tried_again_soon` fails when it is called no more,
`tests/adapters/test_library_privates.py` when it is another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple, Protocol

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from evcs.adapters import mqtt_packets as packets
from evcs.adapters.mqtt_socket import BufferedSocket
from evcs.core.ports import Log
from evcs.core.topics import Publication, Subscription

#: A PUBLISH beside topic and payload, at most: kind, length, topic's length, id, expiry.
PACKET_FRAME = 1 + 4 + 2 + 2 + 6
READS_A_TURN = 16
MAX_WAITING_MESSAGES = 20_000
LOOKS_A_KEEPALIVE = 3
#: paho counts the ids of its SUBSCRIBEs up from 1.
FIRST_MID, MIDS = 0x8000, 0x8000


class EventLoop(Protocol):
    """What a connection needs of a loop; asyncio's is one."""

    def add_reader(self, fd: int, call: Callable[[], object]) -> object: ...
    def add_writer(self, fd: int, call: Callable[[], object]) -> object: ...
    def remove_reader(self, fd: int) -> object: ...
    def remove_writer(self, fd: int) -> object: ...
    def call_soon(self, call: Callable[[], object]) -> object: ...
    def call_later(self, delay_s: float, call: Callable[[], object]) -> Cancellable: ...


class Cancellable(Protocol):
    """What is to be called later."""

    def cancel(self) -> object: ...


class BufferedClient(Client):
    """paho's client, with a socket that has buffers and connects without waiting."""

    def _create_unix_socket_connection(self) -> Any:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.host)
        except OSError:
            sock.close()
            raise
        return BufferedSocket(sock)


def new_client(identity: str, password: str, will: Publication | None) -> Client:
    """Not connected yet."""
    client = BufferedClient(
        CallbackAPIVersion.VERSION2,
        # Who knows it can throw its owner out: a new one, so that none is known for long.
        client_id=os.urandom(16).hex(),
        protocol=MQTTProtocolVersion.MQTTv5,
        transport="unix",
        reconnect_on_failure=False,
    )
    client.username_pw_set(identity, password)
    if will is not None:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    return client


def options(wanted: Sequence[Subscription]) -> list[tuple[str, SubscribeOptions]]:
    """Subscriptions as paho takes them."""
    return [
        (one.filter, SubscribeOptions(one.qos, not one.own, retainAsPublished=one.as_published))
        for one in wanted
    ]


def leave(client: Client) -> None:
    """0x04 has the broker publish the will; a plain DISCONNECT leaves "online" behind."""
    client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=4))


def packet_size(publication: Publication) -> int:
    """Bytes of its PUBLISH, at most."""
    return PACKET_FRAME + len(publication.topic.encode()) + len(publication.payload)


class Heard(NamedTuple):
    """What is done about what the broker says; codes are MQTT's, an id comes first."""

    connected: Callable[[int], object]
    message: Callable[[packets.Delivered], object]
    subscribed: Callable[[], object]
    acknowledged: Callable[[int, int], object]
    closed: Callable[[], object]


class LoopDriver:
    """Reads and writes for a client when its loop says so."""

    def __init__(self, loop: EventLoop, client: Client, heard: Heard, log: Log) -> None:
        self._loop, self._client, self._heard, self._log = loop, client, heard, log
        self._writing = self._is_due = False
        self._mids = count()
        self._waiting: set[int] = set()
        self._hears = self._speaks = True
        self._unheard = self._unspoken = 0
        client.on_socket_open = self._open
        client.on_socket_close = self._close
        client.on_socket_register_write = self._register_write

    @property
    def is_full(self) -> bool:
        """Whether the broker has not acknowledged more than is kept for it."""
        return len(self._waiting) >= MAX_WAITING_MESSAGES

    def publish(self, what: Publication) -> int:
        """Have a message written at the end of this turn, with all others; its id."""
        sock: Any = self._client.socket()
        if sock is None:
            return 0
        mid = next(self._mids) % MIDS + FIRST_MID if what.qos else 0
        if mid:
            self._waiting.add(mid)
        if self._client.want_write():  # a SUBSCRIBE: what is said after it stays behind it
            self._client.loop_write()
        self._put(sock, packets.publish(what, mid))
        return mid

    def flush(self) -> None:
        """Write what waits, which else is done at the end of the turn."""
        sock: Any = self._client.socket()
        if sock is not None:
            self._write(sock)

    def look(self, is_connected: bool) -> None:
        """Ping a silent broker, and give up one that stays silent: LOOKS_A_KEEPALIVE a keepalive.

        It drops who says nothing to it for one and a half keepalives.
        """
        sock: Any = self._client.socket()
        if sock is None:
            return
        self._unheard = 0 if self._hears else self._unheard + 1
        self._unspoken = 0 if self._speaks else self._unspoken + 1
        self._hears = self._speaks = False
        if self._unheard >= LOOKS_A_KEEPALIVE * (1 + is_connected):
            sock.shutdown(socket.SHUT_RDWR)
        elif is_connected and (self._unspoken > 1 or self._unheard == LOOKS_A_KEEPALIVE):
            self._put(sock, packets.PINGREQ)

    def _open(self, _client: Client, _data: Any, sock: Any) -> None:
        self._loop.add_reader(sock.fileno(), partial(self._read, sock))

    def _close(self, _client: Client, _data: Any, sock: Any) -> None:
        if sock.fileno() < 0:
            return
        self._loop.remove_reader(sock.fileno())
        self._loop.remove_writer(sock.fileno())
        self._loop.call_soon(self._heard.closed)

    def _put(self, sock: BufferedSocket, packet: bytes) -> None:
        sock.put(packet)
        self._register_write(self._client, None, sock)

    def _register_write(self, _client: Client, _data: Any, sock: Any) -> None:
        """Something is to be written: at the end of this turn, together with all that follows."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(partial(self._write, sock))

    def _write(self, sock: BufferedSocket) -> None:
        self._is_due, self._speaks = False, True
        if sock.fileno() < 0:
            return
        if self._client.want_write():
            self._client.loop_write()
            if sock.fileno() < 0:
                return
        more = not sock.flush() or self._client.want_write()
        if more != self._writing:
            self._writing = more
            if more:
                self._loop.add_writer(sock.fileno(), partial(self._write, sock))
            else:
                self._loop.remove_writer(sock.fileno())

    def _read(self, sock: BufferedSocket) -> None:
        """All that is there, but not without end: others have their turn, too."""
        self._hears, more = True, True
        try:
            for _ in range(READS_A_TURN):
                more = more and sock.fill()
                while (packet := sock.packet()) is not None:
                    self._take(sock, packet)
                    if sock.fileno() < 0:
                        return
                if not more:
                    break
            if sock.ended:
                self._client.loop_read()
        except Exception:  # noqa: BLE001
            # An exception out of a callback ends the connection, not the process.
            self._log.exception("the bus connection failed")
            self._close(self._client, None, sock)
            sock.close()
            return
        if more:
            self._loop.call_soon(partial(self._read_on, sock))

    def _take(self, sock: BufferedSocket, packet: bytes) -> None:
        kind = packet[0] & 0xF0
        if kind == packets.PUBLISH:
            found = packets.delivered(packet)
            self._heard.message(found)
            if found.mid:
                self._put(sock, packets.acknowledge(found.mid))
        elif kind == packets.PUBACK:
            mid, code = packets.acknowledged(packet)
            self._waiting.discard(mid)
            self._heard.acknowledged(mid, code)
        elif kind == packets.CONNACK:
            self._heard.connected(packets.code(packet))
        elif kind == packets.SUBACK:
            self._heard.subscribed()
        elif kind != packets.PINGRESP:
            sock.put_back(packet)
            self._client.loop_read()

    def _read_on(self, sock: BufferedSocket) -> None:
        if sock.fileno() >= 0:
            self._read(sock)
