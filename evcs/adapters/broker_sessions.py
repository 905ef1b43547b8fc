"""A session that a client left behind at the broker is ended: who connects with the client's id
takes its place (MQTT 5, 3.1.4), also as another user, and leaves none."""

from __future__ import annotations

import time
from contextlib import suppress

from paho.mqtt.enums import MQTTErrorCode

from evcs.adapters.account import Account
from evcs.adapters.mqtt_client import new_client
from evcs.core.errors import EvcsError

WITHIN_S = 1.0


def end(account: Account, client_id: str) -> bool:
    """Whether that is done. Who is connected with that id is thrown out."""
    deadline = time.monotonic() + WITHIN_S
    with suppress(OSError, EvcsError, ValueError):
        client = new_client(account.identity, account.secret(), None, client_id=client_id)
        client.connect(str(account.socket))
        while not client.is_connected():
            if client.loop() != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > deadline:
                return False
        client.disconnect()
        return True
    return False
