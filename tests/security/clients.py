"""Plain MQTT 5 clients that tell what the broker made of what they tried."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, NamedTuple, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.system_under_test import eventually

ALLOWED = frozenset({0, 16})
REFUSED = 135
WAIT_S = 20.0


class Will(NamedTuple):
    """What the broker is to say for a client that is gone."""

    topic: str
    payload: bytes


class MqttClient:
    """One connection; `code` is the broker's answer to it."""

    def __init__(
        self, port: int, identity: str, secret: str, will: Will | None = None, client_id: str = ""
    ) -> None:
        self.code: int | None = None
        self.heard: list[tuple[str, bytes]] = []
        self.dropped = threading.Event()
        self._answered = threading.Event()
        self._published: dict[int, int] = {}
        self._sent: set[int] = set()
        self._subscribed: dict[int, list[int]] = {}
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )  # fmt: skip
        self.client.max_queued_messages_set(0)
        self.client.username_pw_set(identity, secret)
        if will is not None:
            self.client.will_set(will.topic, will.payload, 1, True)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = self._on_publish
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._answered.wait(WAIT_S), "no answer to CONNECT"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Leave in order."""
        self.client.disconnect()
        self.client.loop_stop()

    def break_off(self) -> None:
        """Leave without a word, so that the will is told."""
        sock = self.client.socket()
        assert sock is not None
        sock.close()
        self.client.loop_stop()

    def write(self, topic: str, payload: bytes = b"{}", retain: bool = False) -> int:
        """Publish; the broker's reason code."""
        info = self.client.publish(topic, payload, 1, retain)
        eventually(f"PUBACK for {topic}", lambda: info.mid in self._published, WAIT_S, 0.002)
        return self._published[info.mid]

    def send(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish without waiting for the broker's answer."""
        self._sent.add(self.client.publish(topic, payload, 1, retain).mid)

    def all_answered(self) -> set[int]:
        """Every reason code for what was sent, once all are there."""
        eventually("all PUBACKs", self.is_answered, 60)
        return {self._published[mid] for mid in self._sent}

    def is_answered(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return self._sent <= self._published.keys()

    def wait_for_answer(self, request: str) -> None:
        """Until an event about that request is heard."""
        word = f'"id":"{request}"'.encode()
        eventually(
            f"an answer to {request}",
            lambda: any(word in payload for _, payload in self.heard),
            WAIT_S, 0.002,
        )  # fmt: skip

    def read(self, *filters: str) -> list[int]:
        """Subscribe; the broker's reason codes."""
        _, mid = self.client.subscribe([(one, 1) for one in filters])
        assert mid is not None
        found: list[int] = eventually("SUBACK", lambda: self._subscribed.get(mid), WAIT_S, 0.002)
        return found

    def _on_connect(self, *args: Any) -> None:
        self.code = args[3].value
        self._answered.set()

    def _on_disconnect(self, *_: Any) -> None:
        """Before any answer, too: its code is none then."""
        self.dropped.set()
        self._answered.set()

    def _on_publish(self, *args: Any) -> None:
        self._published[args[2]] = args[3].value

    def _on_subscribe(self, *args: Any) -> None:
        self._subscribed[args[2]] = [code.value for code in args[3]]

    def _on_message(self, *args: Any) -> None:
        self.heard.append((args[2].topic, bytes(args[2].payload)))
