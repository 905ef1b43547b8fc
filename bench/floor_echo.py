"""A bare process that answers each message: `floor_echo.py IDENTITY FROM TO`, in a home."""

import sys
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

identity, asked, answered = sys.argv[1:]


def ready(*_: object) -> None:
    """The subscription stands."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def subscribe(*_: object) -> None:
    """Connected."""
    client.subscribe(asked, 1)


def answer(_client: Client, _data: object, message: MQTTMessage) -> None:
    """One question."""
    client.publish(answered, message.payload, 1)


client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, transport="unix")
client.username_pw_set(identity, Path("data/secrets", identity).read_text())
client.on_connect = subscribe
client.on_subscribe = ready
client.on_message = answer
client.connect("run/mosquitto.sock", 1883, 15)
client.loop_forever()
