"""Sessions that clients leave behind at a real broker."""

from __future__ import annotations

from pathlib import Path

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from evcs.adapters import broker_sessions
from evcs.adapters.account import Account
from evcs.adapters.mqtt_client import new_client
from tests.adapters.broker import Broker
from tests.system_under_test import eventually

EVE = "driver/EVE"


def leave_a_session_behind(broker: Broker) -> None:
    keeps = Properties(PacketTypes.CONNECT)
    keeps.SessionExpiryInterval = 3_600
    client = new_client(EVE, "e", None, client_id="evil")
    client.connect(str(broker.socket), properties=keeps)
    eventually("connected", lambda: client.loop() == 0 and client.is_connected())
    client.disconnect()


def finds_its_session(broker: Broker) -> bool:
    found = list[bool]()
    client = new_client(EVE, "e", None, client_id="evil")
    client.on_connect = lambda _client, _data, flags, *_: found.append(flags.session_present)
    client.connect(str(broker.socket), clean_start=False)
    eventually("connected", lambda: client.loop() == 0 and bool(found))
    client.disconnect()
    return found[0]


def test_a_session_is_ended_by_another_user(broker: Broker) -> None:
    broker.accounts({EVE: "e", "registry": "r"})
    account = Account(broker.socket, "registry", lambda: "r")
    leave_a_session_behind(broker)
    assert finds_its_session(broker)
    leave_a_session_behind(broker)
    assert broker_sessions.end(account, "evil")
    assert not finds_its_session(broker)


def test_where_there_is_no_broker_it_is_not_ended(short_tmp: Path) -> None:
    account = Account(short_tmp / "mosquitto.sock", "registry", lambda: "r")
    assert not broker_sessions.end(account, "evil")


def test_who_may_not_come_in_ends_nothing(broker: Broker) -> None:
    broker.accounts({EVE: "e", "registry": "r"})
    account = Account(broker.socket, "registry", lambda: "another")
    assert not broker_sessions.end(account, "evil")
