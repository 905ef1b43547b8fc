"""A bare subscriber that parses: `floor_subscriber.py IDENTITY FILTER COUNT`, in a home."""

import itertools
import json
import os
import sys
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

identity, wanted, count = sys.argv[1:]
left = itertools.count(int(count) - 1, -1)


def say(*_: object) -> None:
    """A line to who started this."""
    sys.stdout.write("now\n")
    sys.stdout.flush()


def subscribe(*_: object) -> None:
    """Connected."""
    client.subscribe(wanted, 1)


def take(_client: Client, _data: object, message: MQTTMessage) -> None:
    """One message."""
    json.loads(message.payload)
    if next(left) == 0:
        say()
        client.disconnect()


client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
client.username_pw_set(identity, Path("data/secrets", identity).read_text())
client.on_connect = subscribe
client.on_subscribe = say
client.on_message = take
client.connect("127.0.0.1", int(os.environ["EVCS_MQTT_PORT"]), 15)
client.loop_forever()
