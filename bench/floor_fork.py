"""Bare children of a bare parent: paho is loaded once, then forked, connected and announced.

`floor_fork.py IDENTITY...`, in a home. Each child publishes one retained message, and stays.
"""

import ctypes
import gc
import os
import signal
import sys
import time
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def stay(identity: str) -> None:
    """Be one child."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    client = Client(
        CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, transport="unix"
    )
    client.username_pw_set(identity, Path("data/secrets", identity).read_text())

    def tell(*_: object) -> None:
        client.publish(f"evcs/v1/{identity}/status", '{"online":true}', 1, True)

    client.on_connect = tell
    while True:
        try:
            client.connect("run/mosquitto.sock", 1883, 15)
            break
        except OSError:
            time.sleep(0.05)
    client.loop_forever()


gc.collect()
gc.freeze()
for name in sys.argv[1:]:
    if os.fork() == 0:
        stay(name)
        os._exit(0)
signal.pause()
