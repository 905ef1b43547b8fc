"""Each rule of OCPP-J's framing, on the wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from evcs.core.ocpp.ports import CallError, Connection
from evcs.core.ocpp.rules import MAX_FRAME_BYTES, MAX_WAITING, Code, Fault, Version
from tests.adapters.ocpp import AT, beat, charger, heard, lives, on_a_loop, serving
from tests.unit.test_ocpp_frames import TABLE

V16, V201 = Version.V16, Version.V201
STATUS = {
    V16: {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    V201: {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1},
}
A_STATUS = {V16: "status", V201: "connectorStatus"}


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_what_is_no_frame_is_answered_and_the_connection_stays(version: Version) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        for text, fault, in_v16, in_v201, message_id in TABLE:
            await client.send(text)
            code = in_v16 if version is V16 else in_v201
            if code is not None:
                assert await heard(client) == [4, message_id, code, fault.rule.what, {}]
            await lives(client)
            assert ("in", text) in gateway.frames


@pytest.mark.parametrize(
    ("action", "change", "fault", "in_v16", "in_v201"),
    [
        ("StatusNotifications", {}, Fault.UNKNOWN_ACTION, "NotImplemented", "NotImplemented"),
        ("statusNotification", {}, Fault.UNKNOWN_ACTION, "NotImplemented", "NotImplemented"),
        ("SignCertificate", {}, Fault.UNSERVED_ACTION, "NotSupported", "NotSupported"),
        ("Reset", {}, Fault.UNSERVED_ACTION, "NotSupported", "NotSupported"),
        ("StatusNotification", {"connectorId": None}, Fault.TYPE,
         "TypeConstraintViolation", "TypeConstraintViolation"),
        ("StatusNotification", {"connectorId": "1"}, Fault.TYPE,
         "TypeConstraintViolation", "TypeConstraintViolation"),
        ("StatusNotification", {"more": 1}, Fault.EXTRA, "FormationViolation", "FormatViolation"),
        ("StatusNotification", {"status": "Idle"}, Fault.VALUE,
         "PropertyConstraintViolation", "PropertyConstraintViolation"),
        ("StatusNotification", {"connectorId": ...}, Fault.MISSING,
         "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_what_is_no_message_is_answered_and_the_connection_stays(
    version: Version, action: str, change: dict[str, Any], fault: Fault, in_v16: str, in_v201: str
) -> None:
    changed = {A_STATUS[version] if key == "status" else key: change[key] for key in change}
    payload = {key: value for key, value in (STATUS[version] | changed).items() if value is not ...}
    async with serving() as (server, gateway), charger(server, version) as client:
        gateway.actions["StatusNotification"] = beat
        await client.send(json.dumps([2, "a", action, payload]))
        kind, message_id, code, description, details = await heard(client)
        assert (kind, message_id, details) == (4, "a", {})
        assert code == (in_v16 if version is V16 else in_v201) == fault.rule.answer(version)
        assert action in description
        await lives(client)
    assert "StatusNotification" not in gateway.events()


@pytest.mark.parametrize(
    ("readable", "served"), [({"reason": "Bored"}, ["StopTransaction"]), ({"meterStop": None}, [])]
)
@pytest.mark.parametrize("fails", [False, True])
@on_a_loop
async def test_what_can_be_read_of_an_end_counts_and_the_answer_is_the_error(
    readable: dict[str, Any], served: list[str], fails: bool
) -> None:
    stop = {"transactionId": 1, "meterStop": 500, "timestamp": AT}
    taken = []

    async def take(_: Connection, payload: dict[str, Any]) -> dict[str, Any]:
        taken.append(payload)
        if fails:
            raise CallError(Code.INTERNAL)
        return {}

    async with serving() as (server, gateway), charger(server) as client:
        gateway.actions["StopTransaction"] = take
        await client.send(json.dumps([2, "a", "StopTransaction", stop | readable]))
        assert (await heard(client))[:2] == [4, "a"]
        await lives(client)
        assert gateway.events() == ["opened", *served, "Heartbeat"]
    assert taken == [stop for _ in served]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(
    ("data", "text", "fault"),
    [
        (b'[2,"a","Heartbeat",{}]', False, Fault.BINARY),
        (b'[2,"a","Heartbeat",{"x":"\xff"}]', True, Fault.NOT_UTF8),
        (b'[2,"a","Heartbeat",{"x":"' + b"x" * MAX_FRAME_BYTES + b'"}]', True, Fault.TOO_LARGE),
        (b" " * 1_000_000, True, Fault.TOO_LARGE),
    ],
    ids=["binary", "not UTF-8", "too large", "1 MB"],
)
@on_a_loop
async def test_what_ends_the_connection(
    version: Version, data: bytes, text: bool, fault: Fault
) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        await lives(client)
        await client.send(data, text=text)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == fault.rule.close
        async with charger(server, version) as again:
            await lives(again)
        assert gateway.events()[:3] == ["opened", "Heartbeat", "closed"]


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_a_large_frame_that_is_small_on_the_wire_ends_it_too(version: Version) -> None:
    async with serving() as (server, _), charger(server, version, compression="deflate") as client:
        await client.send(" " * 1_000_000)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == Fault.TOO_LARGE.rule.close


@on_a_loop
async def test_the_largest_frame_is_taken() -> None:
    async with serving() as (server, _), charger(server) as client:
        text = '[2,"a","Heartbeat",{}]'
        await client.send(text.rjust(MAX_FRAME_BYTES))
        assert (await heard(client))[:2] == [3, "a"]


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_two_calls_at_once_are_answered_in_their_order(version: Version) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        first_may = asyncio.Event()
        at_work: list[int] = []

        async def wait(connection: Connection, payload: dict[str, Any]) -> dict[str, Any]:
            at_work.append(len(at_work))
            await first_may.wait()
            return await beat(connection, payload)

        gateway.actions["Heartbeat"] = wait
        await client.send('[2,"a","Heartbeat",{}]')
        await client.send('[2,"b","Heartbeat",{}]')
        # Refused at once: it is read while the first is handled, and is none that is handled.
        await client.send("?")
        assert (await heard(client))[1] == "-1"
        assert at_work == [0]
        first_may.set()
        assert [(await heard(client))[1] for _ in range(2)] == ["a", "b"]


@on_a_loop
async def test_the_same_call_again_gets_the_one_answer() -> None:
    async with serving() as (server, gateway), charger(server) as client:
        may = asyncio.Event()

        async def wait(connection: Connection, payload: dict[str, Any]) -> dict[str, Any]:
            await may.wait()
            return await beat(connection, payload)

        gateway.actions["Heartbeat"] = wait
        for _ in range(3):
            await client.send('[2,"a","Heartbeat",{}]')
        await client.send("?")
        assert (await heard(client))[1] == "-1"
        may.set()
        assert (await heard(client))[:2] == [3, "a"]
        await lives(client)
        assert gateway.events().count("Heartbeat") == 2


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_more_calls_than_may_wait_are_refused(version: Version) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        may = asyncio.Event()

        async def wait(connection: Connection, payload: dict[str, Any]) -> dict[str, Any]:
            await may.wait()
            return await beat(connection, payload)

        gateway.actions["Heartbeat"] = wait
        for number in range(MAX_WAITING + 2):
            await client.send(f'[2,"{number}","Heartbeat",{{}}]')
        assert (await heard(client))[:3] == [4, str(MAX_WAITING + 1), "GenericError"]
        may.set()
        for number in range(MAX_WAITING + 1):
            assert (await heard(client))[:2] == [3, str(number)]
        await lives(client)


@pytest.mark.parametrize(
    "text", ['[3,"a",{}]', '[4,"a","GenericError","",{}]', '[4,"-1","X"]', '[3,"a"]']
)
@on_a_loop
async def test_an_answer_that_nobody_asked_for_is_passed_over(text: str) -> None:
    async with serving() as (server, _), charger(server) as client:
        await client.send(text)
        await lives(client)


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_faults_of_ours_are_said_to_be_ours(version: Version) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        for result in ({}, {"currentTime": AT, "more": 1}, {"currentTime": b""}, None):

            async def answer(_c: Connection, _p: dict[str, Any], result: Any = result) -> Any:
                return result

            gateway.actions["Heartbeat"] = answer
            await client.send('[2,"a","Heartbeat",{}]')
            assert await heard(client) == [4, "a", "InternalError", "", {}]

        async def fail(_c: Connection, _p: dict[str, Any]) -> dict[str, Any]:
            raise KeyError("none of their business")

        gateway.actions["Heartbeat"] = fail
        await client.send('[2,"a","Heartbeat",{}]')
        assert await heard(client) == [4, "a", "InternalError", "", {}]
        gateway.actions["Heartbeat"] = beat
        await lives(client)


@pytest.mark.parametrize(
    ("code", "in_v16", "in_v201"),
    [
        (Code.SECURITY, "SecurityError", "SecurityError"),
        (Code.OCCURRENCE, "OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    ],
)
@on_a_loop
async def test_a_handler_refuses_in_the_versions_words(
    code: Code, in_v16: str, in_v201: str
) -> None:
    for version, spelled in ((V16, in_v16), (V201, in_v201)):
        async with serving() as (server, gateway), charger(server, version) as client:

            async def refuse(_c: Connection, _p: dict[str, Any]) -> dict[str, Any]:
                raise CallError(code, "boot first")

            gateway.actions["Heartbeat"] = refuse
            await client.send('[2,"a","Heartbeat",{}]')
            assert await heard(client) == [4, "a", spelled, "boot first", {}]
