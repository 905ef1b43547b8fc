"""Bare paho clients in one process: one for each identity of a CP in this home, by its secrets.

Each connects over the broker's socket, subscribes to what is addressed to it, publishes one
retained message, and stays.
"""

import selectors
from functools import partial
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

KEEPALIVE_S = 60


def subscribe(identity: str, client: Client, *_: object) -> None:
    """Connected."""
    client.subscribe(f"evcs/v1/central/{identity}/cmd", 1)


def tell(identity: str, client: Client, *_: object) -> None:
    """Subscribed."""
    client.publish(f"evcs/v1/{identity}/status", '{"online":true}', 1, True)


selector = selectors.DefaultSelector()
for path in sorted(Path("data/secrets").glob("cp/*/*")):
    who = f"cp/{path.parent.name}/{path.name}"
    one = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, transport="unix")
    one.username_pw_set(who, path.read_text())
    one.on_connect = partial(subscribe, who)
    one.on_subscribe = partial(tell, who)
    one.connect("run/mosquitto.sock", keepalive=KEEPALIVE_S)
    sock = one.socket()
    assert sock is not None
    selector.register(sock.fileno(), selectors.EVENT_READ, one)
    one.loop_write()
while True:
    found = selector.select(5.0)
    for key, _ in found:
        key.data.loop_read()
        if key.data.want_write():
            key.data.loop_write()
    if not found:
        for key in selector.get_map().values():
            key.data.loop_misc()
