"""paho's client on a loop of ours: connecting never waits; reads and sends take all there is.

It runs by paho's socket callbacks, as it has them for loops of others.

paho has no public place for a socket of one's own, so `_create_unix_socket_connection` is its own
no more: that waits without end for a broker whose backlog is full, and is asked three times for
each message, 10 of 60 us. `test_a_queue_that_is_full_is_no_loss_and_is_tried_again_soon` fails when
it is called no more. Nor is `_handle_publish`: for each message it made lists of all properties
that there are, and nobody here asks for any. For `_handle_connack`, which does so for each limit
that the broker names, these are cut off: all would be 0.1 ms of the 2 that an Engine's start takes.
`tests/adapters/test_library_privates.py` fails when paho's code there is another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Protocol

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from evcs.config import Endpoint
from evcs.core.ports import Log
from evcs.core.topics import Publication, Subscription

#: A PUBLISH beside topic and payload, at most: kind, length, topic's length, id, expiry.
PACKET_FRAME = 1 + 4 + 2 + 2 + 6
READ_AHEAD = 16_384
SEND_AT_ONCE = 65_536
DISCONNECT = 0xE0
NO_PROPERTIES = b"\0"
MAX_BATCH = 1_000
MAX_WAITING_MESSAGES = 20_000


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


class BufferedSocket:
    """A socket that reads and sends much at once: paho asks for a byte, another and then the rest,
    and sends packet by packet.

    `empty`: nothing more was there at the last look. `unsent`: what waits for `flush`.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._read, self._at = b"", 0
        self.empty = False
        self.unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """At most so many bytes; none at the end. Raises BlockingIOError."""
        if self._at == len(self._read):
            self.empty = True
            self._read, self._at = self._sock.recv(READ_AHEAD), 0
            self.empty = False
        found = self._read[self._at : self._at + size]
        self._at += len(found)
        return found

    def send(self, data: bytes) -> int:
        """Take a packet, for `flush` to send. Raises BlockingIOError while there is no room."""
        # Behind a DISCONNECT paho closes, so that one goes out before it is taken as sent.
        leaves = data[0] == DISCONNECT
        if leaves or len(self.unsent) > SEND_AT_ONCE:
            self.flush()
            if self.unsent:
                raise BlockingIOError
        if leaves:
            return self._sock.send(data)
        self.unsent += data
        return len(data)

    def flush(self) -> None:
        """Send as much as goes. That nobody is there any more, the reader will see."""
        try:
            while self.unsent:
                del self.unsent[: self._sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent.clear()

    @property
    def waits(self) -> bool:
        """Whether nothing can be sent before something was read, as while TLS shakes hands."""
        return bool(getattr(self._sock, "waits", False))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class BufferedClient(Client):
    """paho's client, with a socket that has buffers and connects without waiting.

    `server`: where the broker is another machine's, in place of a path.
    """

    server: Endpoint | None = None

    def loop_write(self) -> MQTTErrorCode:
        """Write all that is queued."""
        code = super().loop_write()
        sock: Any = self.socket()
        if sock is not None:
            sock.flush()
        return code

    def _handle_publish(self) -> MQTTErrorCode:
        """As paho's, in two thirds of the time, and properties are passed over unread.

        A publication with 13,000 of its sender's own took paho 0.4 s.
        """
        kind, packet = self._in_packet["command"], self._in_packet["packet"]
        qos = kind >> 1 & 3
        topic_end = 2 + int.from_bytes(packet[:2], "big")
        at = topic_end + 2 * (qos > 0)
        if qos > 1:
            return super()._handle_publish()
        message = MQTTMessage(
            int.from_bytes(packet[topic_end:at], "big"), bytes(packet[2:topic_end])
        )
        message.qos, message.retain = qos, bool(kind & 1)
        message.payload = bytes(packet[_behind_properties(packet, at) :])
        self._handle_on_message(message)
        return self._send_puback(message.mid) if qos else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_connack(self) -> MQTTErrorCode:
        """As paho's, without the broker's limits, which it takes long to read and doesn't use."""
        self._in_packet["packet"] = self._in_packet["packet"][:2] + NO_PROPERTIES
        return super()._handle_connack()

    def _create_unix_socket_connection(self) -> Any:
        if self.server is not None:
            # It loads ssl, which no CP of the broker's own machine needs.
            from evcs.adapters.tls_stream import TlsStream

            return BufferedSocket(TlsStream(self.server))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(self.host)
        except OSError:
            sock.close()
            raise
        return BufferedSocket(sock)


def _behind_properties(packet: bytes | bytearray, at: int) -> int:
    """Where the payload begins: their length is a Variable Byte Integer (MQTT 5, 1.5.5)."""
    length = shift = 0
    while packet[at] > 127:
        length |= (packet[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return at + 1 + length + (packet[at] << shift)


def new_client(
    identity: str, password: str, will: Publication | None, server: Endpoint | None = None,
    client_id: str = "",
) -> Client:  # fmt: skip
    """Not connected yet; with an id of its own where none is given."""
    client = BufferedClient(
        CallbackAPIVersion.VERSION2,
        # Who knows it can throw its owner out: a new one, so that none is known for long.
        client_id=client_id or os.urandom(16).hex(),
        protocol=MQTTProtocolVersion.MQTTv5,
        transport="unix",
        reconnect_on_failure=False,
    )
    client.server = server
    client.max_queued_messages_set(MAX_WAITING_MESSAGES)
    # None: to keep to one, paho goes through all that is under way at each acknowledgement.
    client.max_inflight_messages_set(0)
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


@lru_cache
def expiry(after_s: int) -> Properties:
    """Of a publication that expires; built once for each time."""
    found = Properties(PacketTypes.PUBLISH)
    found.MessageExpiryInterval = after_s
    return found


class LoopDriver:
    """Reads and writes for a client when its loop says so. `on_closed`: its socket is gone, why."""

    def __init__(
        self, loop: EventLoop, client: Client, on_closed: Callable[[str], None], log: Log
    ) -> None:
        self._loop, self._client, self._on_closed, self._log = loop, client, on_closed, log
        self._writing = False
        #: Its descriptor, as long as it is not known to be closed.
        self._fd = -1
        client.on_socket_open = self._open
        client.on_socket_close = self._close
        client.on_socket_register_write = self._register_write

    def _open(self, _client: Client, _data: Any, sock: Any) -> None:
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, partial(self._read, sock))

    def _close(self, _client: Client, _data: Any, sock: Any) -> None:
        """Told once. A broker that ends as TLS begins takes the descriptor along, unseen."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        why = getattr(sock, "why", "") or "connection closed"
        self._loop.call_soon(partial(self._on_closed, why))

    def _register_write(self, _client: Client, _data: Any, sock: Any) -> None:
        """Something is to be written: at the end of this turn, together with all that follows."""
        self._loop.call_soon(partial(self._write, sock))

    def _write(self, sock: BufferedSocket) -> None:
        if sock.fileno() >= 0:
            self._client.loop_write()
        if sock.fileno() < 0:
            self._close(self._client, None, sock)
        left = sock.fileno() >= 0 and (self._client.want_write() or bool(sock.unsent))
        more = left and not sock.waits
        if more != self._writing:
            self._writing = more
            if more:
                self._loop.add_writer(sock.fileno(), partial(self._write, sock))
            elif sock.fileno() >= 0:
                self._loop.remove_writer(sock.fileno())

    def _read(self, sock: BufferedSocket) -> None:
        """What is there, and then what only that has let be sent."""
        waited = sock.waits
        self._read_some(sock)
        if waited and sock.fileno() >= 0 and not sock.waits:
            self._loop.call_soon(partial(self._write, sock))

    def _read_some(self, sock: BufferedSocket) -> None:
        """All that is there, but no more than a batch: others have their turn, too."""
        try:
            for _ in range(MAX_BATCH):
                if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or sock.empty:
                    return
        except Exception:  # noqa: BLE001
            # An exception out of a callback ends the connection, not the process.
            self._log.exception("the bus connection failed")
            self._close(self._client, None, sock)
            sock.close()
            return
        self._loop.call_soon(partial(self._read_on, sock))

    def _read_on(self, sock: BufferedSocket) -> None:
        if sock.fileno() >= 0:
            self._read(sock)
