"""The bus: one MQTT 5 connection for one identity, kept up for as long as it is wanted.

It goes over the broker's unix socket, which nobody else of this machine can reach or stand in
for, and which has room when strangers hold all that the TCP listeners give; from another machine it
goes over TLS.

Each connection is a new paho client: what an old one had not sent is dropped on purpose,
since who owns a fact tells it again at every connection. It runs on the loop that it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from evcs.adapters.account import Account
from evcs.adapters.clock import timestamp
from evcs.adapters.connection_gate import Gate, jitter
from evcs.adapters.mqtt_client import (
    Cancellable,
    EventLoop,
    LoopDriver,
    expiry,
    leave,
    new_client,
    options,
    packet_size,
)
from evcs.core import topics
from evcs.core.counts import is_reported
from evcs.core.errors import EvcsError
from evcs.core.messages import Message
from evcs.core.ports import Connected, Disconnected, Log, Received, Stray

#: A service's, and a CP's: pings are most of what an idle pool takes, and the kernel tells losses.
KEEPALIVE_S, CP_KEEPALIVE_S = 15, 60
LOOKS_A_KEEPALIVE = 3
FULL_RETRY_S = 0.05
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 2.0
REFUSED = frozenset({134, 135})
TRIES_WITH_A_NEW_SECRET = 4

LOG = logging.getLogger("evcs")


class Bus:
    """A connection that comes back by itself. Events go to `put`, called from the loop."""

    def __init__(
        self,
        loop: EventLoop,
        account: Account,
        put: Callable[[Connected | Disconnected | Received | Stray], None],
        subscriptions: Sequence[topics.Subscription],
        will: topics.Publication | None = None,
        decode: Callable[[str, bytes], Any] = topics.decode,
        log: Log = LOG,
        keepalive_s: int = KEEPALIVE_S,
        gate: Gate | None = None,
    ) -> None:
        self.dropped = self.unsendable = 0
        self._log, self._keepalive_s = log, keepalive_s
        self._look_every_s = keepalive_s / LOOKS_A_KEEPALIVE
        # Alone one always has one's turn.
        self._gate, self._is_inside = gate or Gate(loop, 1), False
        self._loop, self._decode = loop, decode
        self._account = account
        self._put = put
        self._subscriptions = list(subscriptions)
        self._asked: list[topics.Subscription] = []
        self._will = will
        self._client: Client | None = None
        # A renewed secret is in its file a moment before the broker knows it.
        self._used = self._accepted = ""
        self._tries = 0
        self._stopping = False
        self._ready = self._reached = False
        self._loss_told: str | None = None
        self._pause_s = 0.0
        self._timer: Cancellable | None = None

    def start(self) -> None:
        """Connect, once it is its turn, and go on trying."""
        self._gate.enter(self._dial)

    @property
    def connected(self) -> bool:
        """Whether what is published now goes out."""
        return self._ready

    def publish(self, what: Message | topics.Publication) -> bool:
        """Hand a publication, or a message with the present time, to the broker.

        False where there is no connection, or where the broker would drop us for its size.
        """
        info = self._hand_over(what)
        return info is not None and info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _hand_over(self, what: Message | topics.Publication) -> MQTTMessageInfo | None:
        client = self._client
        if client is None or not self._ready:
            return None
        publication = (
            what if isinstance(what, topics.Publication) else topics.encode(what, timestamp())
        )
        if not self._fits(publication):
            return None
        properties = None if publication.expiry_s is None else expiry(publication.expiry_s)
        info = client.publish(
            publication.topic, publication.payload, publication.qos, publication.retain, properties
        )
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            self._log.warning("the broker takes nothing more; connecting anew")
            leave(client)
        return info

    def _fits(self, publication: topics.Publication) -> bool:
        size = packet_size(publication)
        if size <= topics.MAX_PACKET:
            return True
        self.unsendable += 1
        if is_reported(self.unsendable):
            self._log.error(
                "unsendable=%d not sent: %d bytes on %s; the broker takes %d",
                self.unsendable, size, publication.topic, topics.MAX_PACKET,
            )  # fmt: skip
        return False

    def flush(self) -> None:
        """Write what was handed over, which else is done at the end of the turn."""
        if self._client is not None and self._ready:
            self._client.loop_write()

    def subscribe(self, more: Sequence[topics.Subscription]) -> None:
        """Listen to more from now on, over connections that come too."""
        self._subscriptions += more
        client = self._client
        if client is not None and self._ready:
            client.subscribe(options(more))

    def unsubscribe(self, these: Sequence[topics.Subscription]) -> None:
        """Listen to these no more."""
        self._subscriptions = [one for one in self._subscriptions if one not in these]
        client = self._client
        if client is not None and self._ready:
            client.unsubscribe([one.filter for one in these])

    def stop(self) -> None:
        """Leave, the will told, once what is published is sent; and don't come back."""
        self._stopping = True
        self._ready = False
        if self._timer is not None:
            self._timer.cancel()
        if self._client is not None:
            leave(self._client)
        else:
            self._leave_gate()

    @property
    def left(self) -> bool:
        """Whether there is no connection, after a `stop`."""
        return self._client is None

    def _leave_gate(self) -> None:
        if self._is_inside:
            self._gate.leave()
        self._is_inside = False

    def _dial(self) -> None:
        """Begin a connection, or try again a little later."""
        self._is_inside, self._reached = True, False
        if self._stopping:
            self._leave_gate()
            return
        try:
            self._client = client = self._new_client()
            client.connect(str(self._account.socket), keepalive=self._keepalive_s, clean_start=True)
        except BlockingIOError:
            # So many connect just now that the kernel keeps no more waiting.
            self._client = None
            self._timer = self._loop.call_later(FULL_RETRY_S * jitter(), self._dial)
        except (OSError, EvcsError) as error:
            self._end(str(error))
        else:
            self._timer = self._loop.call_later(self._look_every_s, self._look)

    def _look(self) -> None:
        """Pings, and their absence."""
        if self._client is not None:
            self._timer = self._loop.call_later(self._look_every_s, self._look)
            self._client.loop_misc()

    def _end(self, reason: str) -> None:
        """The connection is gone, or could not be had: tell, and try again."""
        self._ready = False
        self._client = None
        self._leave_gate()
        self._tell_gone(reason, False)
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopping:
            longer_s = min(max(self._pause_s * 2, FIRST_RETRY_S), LONGEST_RETRY_S)
            self._pause_s = FIRST_RETRY_S if self._reached else longer_s
            again = partial(self._gate.enter, self._dial)
            self._timer = self._loop.call_later(self._pause_s * jitter(), again)

    def _new_client(self) -> Client:
        self._used = self._account.secret()
        client = new_client(self._account.identity, self._used, self._will, self._account.server)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        LoopDriver(self._loop, client, partial(self._on_closed, client), self._log)
        return client

    def _on_closed(self, client: Client, why: str) -> None:
        if client is self._client:
            self._end(why)

    def _on_connect(
        self, client: Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        if code.is_failure:
            self._tell_gone(f"refused: {code}", code.value in REFUSED and not self._renewed())
            client.disconnect()
            return
        self._leave_gate()
        self._accepted, self._tries = self._used, 0
        if self._subscriptions:
            self._asked = list(self._subscriptions)
            client.subscribe(options(self._asked))
        else:
            self._become_ready()

    def _renewed(self) -> bool:
        """Whether a refusal may come from a secret that is being renewed: only some tries long."""
        self._tries += 1
        try:
            newer = self._account.secret() != self._used
        except (OSError, EvcsError):
            newer = False
        new = newer or self._accepted not in ("", self._used)
        return new and self._tries <= TRIES_WITH_A_NEW_SECRET

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        # Only a refused connection counts as refused: being dropped because a secret was
        # renewed is followed by a connection with the new one.
        if self._ready:
            self._ready = False
            self._tell_gone(str(code), False)

    def _on_subscribe(
        self, client: Client, _data: Any, _mid: int, _codes: Any, _props: Any
    ) -> None:
        if self._ready:
            return
        self._become_ready()
        late = [one for one in self._subscriptions if one not in self._asked]
        if late:
            client.subscribe(options(late))

    def _become_ready(self) -> None:
        self._ready = self._reached = True
        self._loss_told = None
        self._put(Connected())

    def _tell_gone(self, reason: str, refused: bool) -> None:
        """Tell a loss once, not at every further try."""
        if self._stopping or self._loss_told == "refused" or (self._loss_told and not refused):
            return
        self._loss_told = "refused" if refused else "gone"
        self._put(Disconnected(reason, refused))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        stray = message.retain and topics.is_stray(message.topic)
        try:
            found = self._decode(message.topic, bytes(message.payload))
        except topics.Unreadable as error:
            self.dropped += 1
            if is_reported(self.dropped):
                self._log.warning(
                    "dropped=%d unreadable message on %r: %s",
                    self.dropped, message.topic[:120], error,
                )  # fmt: skip
            if stray:
                self._put(Stray(message.topic))
            return
        self._put(Stray(message.topic) if stray else Received(found, message.retain))
