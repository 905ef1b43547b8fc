"""A bare process: imports paho, connects, publishes one retained message, and stays.

`floor_process.py IDENTITY`, in a home. SIGUSR1 has it publish a reading each second.
"""

import signal
import sys
import threading
import time
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

IDENTITY = sys.argv[1]
TOPIC = f"evcs/v1/{IDENTITY}"
READING = (
    '{"session_id":"261122-0123456789ab","seq":%d,"energy_wh":%d,"power_w":22000,'
    '"voltage_v":230.0,"current_a":31.9,"ts":"2026-11-22T09:00:00.000Z"}'
)


def tell(*_: object) -> None:
    """Connected."""
    client.publish(f"{TOPIC}/status", '{"online":true}', 1, True)


def read_out() -> None:
    """A reading each second."""
    seq = 0
    while True:
        seq += 1
        client.publish(f"{TOPIC}/meter", READING % (seq, 6 * seq))
        time.sleep(1)


client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, transport="unix")
client.username_pw_set(IDENTITY, Path("data/secrets", IDENTITY).read_text())
client.on_connect = tell
signal.signal(signal.SIGUSR1, lambda *_: threading.Thread(target=read_out, daemon=True).start())
while True:
    try:
        client.connect("run/mosquitto.sock", 1883, 15)
        break
    except OSError:
        time.sleep(0.05)
client.loop_forever()
