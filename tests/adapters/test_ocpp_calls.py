"""Our CALLs to a charger: one at a time, each with an answer, a refusal or none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evcs.core.ocpp.ports import Connection, NoAnswer, NotSendable, Refused
from evcs.core.ocpp.rules import Version
from tests.adapters.ocpp import beat, charger, heard, lives, on_a_loop, serving, until

V16, V201 = Version.V16, Version.V201
RESET = {V16: {"type": "Soft"}, V201: {"type": "Immediate"}}
ACCEPTED = '{"status":"Accepted"}'


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_the_answer_is_what_the_charger_says(version: Version) -> None:
    async with serving() as (server, gateway), charger(server, version) as client:
        await until(gateway.events)
        asked = asyncio.create_task(gateway.connection().call("Reset", RESET[version]))
        kind, message_id, *rest = await heard(client)
        assert (kind, rest) == (2, ["Reset", RESET[version]])
        assert len(message_id) == 36
        await client.send(f'[3,"{message_id}",{ACCEPTED}]')
        assert await asked == {"status": "Accepted"}
        assert [direction for direction, _ in gateway.frames] == ["out", "in"]


@pytest.mark.parametrize(
    ("answer", "code", "description"),
    [
        ('[4,"ID","NotSupported","no reset here",{}]', "NotSupported", "no reset here"),
        ('[4,"ID","TheirOwn"]', "TheirOwn", ""),
        ('[4,"-1","RpcFrameworkError","what?",{}]', "RpcFrameworkError", "what?"),
        ('[3,"ID",{"status":"Maybe"}]', "PropertyConstraintViolation", "status: enum"),
        ('[3,"ID",{}]', "OccurenceConstraintViolation", "status missing"),
        ('[3,"ID",{"status":"Accepted","x":1}]', "FormationViolation", "x not known"),
        ('[3,"ID"]', "no answer of the standard", "CALLRESULT"),
        ('[4,"ID"]', "no answer of the standard", "CALLERROR"),
    ],
)
@on_a_loop
async def test_what_is_no_answer_is_a_refusal(answer: str, code: str, description: str) -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await until(gateway.events)
        asked = asyncio.create_task(gateway.connection().call("Reset", RESET[V16]))
        await client.send(answer.replace("ID", (await heard(client))[1]))
        with pytest.raises(Refused) as refused:
            await asked
        assert refused.value.code == code
        assert description in refused.value.description
        await lives(client)


@on_a_loop
async def test_one_call_at_a_time_and_a_late_answer_is_nobodys() -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await until(gateway.events)
        connection = gateway.connection()
        first = asyncio.create_task(connection.call("Reset", RESET[V16], within_s=0.05))
        second = asyncio.create_task(connection.call("ClearCache", {}))
        late = await heard(client)
        assert late[2] == "Reset"
        with pytest.raises(NoAnswer, match=r"no answer to Reset within 0\.05 s"):
            await first
        asked = await heard(client)
        assert asked[2] == "ClearCache"
        await client.send(f'[3,"{late[1]}",{ACCEPTED}]')
        await lives(client)
        assert not second.done()
        await client.send(f'[3,"{asked[1]}",{ACCEPTED}]')
        assert await second == {"status": "Accepted"}


@on_a_loop
async def test_who_waits_has_no_answer_once_the_connection_ends() -> None:
    async with serving() as (server, gateway):
        async with charger(server) as client:
            await until(gateway.events)
            connection = gateway.connection()
            calls = [asyncio.create_task(connection.call("ClearCache", {})) for _ in range(3)]
            await heard(client)
        for call in calls:
            with pytest.raises(NoAnswer):
                await call
        with pytest.raises(NoAnswer):
            await connection.call("ClearCache", {})
        assert gateway.events() == ["opened", "closed"]


@pytest.mark.parametrize(
    ("action", "payload", "why"),
    [
        ("Reset", {}, "type missing"),
        ("Reset", {"type": "Now"}, "type: enum"),
        ("Heartbeat", {}, "has no Heartbeat from a central system"),
        ("RequestStartTransaction", {}, "has no RequestStartTransaction"),
        ("../Reset", {}, "has no"),
    ],
)
@on_a_loop
async def test_what_no_charger_may_be_sent_is_not(
    action: str, payload: dict[str, Any], why: str
) -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await until(gateway.events)
        with pytest.raises(NotSendable, match=why):
            await gateway.connection().call(action, payload)
        await lives(client)


@pytest.mark.parametrize("version", Version)
@on_a_loop
async def test_a_handler_may_call_itself(version: Version) -> None:
    """At its opening and in a CALL of the charger's: answers are read meanwhile."""
    async with serving() as (server, gateway):

        async def ask(connection: Connection) -> None:
            assert await connection.call("ClearCache", {}) == {"status": "Accepted"}

        async def ask_and_beat(connection: Connection, payload: dict[str, Any]) -> dict[str, Any]:
            await ask(connection)
            return await beat(connection, payload)

        gateway.on_open = ask
        gateway.actions["Heartbeat"] = ask_and_beat
        async with charger(server, version) as client:
            await client.send('[2,"a","Heartbeat",{}]')
            for _ in range(2):
                asked = await heard(client)
                assert asked[2] == "ClearCache"
                await client.send(f'[3,"{asked[1]}",{ACCEPTED}]')
            assert (await heard(client))[:2] == [3, "a"]


@on_a_loop
async def test_a_handler_that_waits_is_cancelled_with_the_connection() -> None:
    async with serving() as (server, gateway):
        ended = []

        async def wait(_c: Connection, _p: dict[str, Any]) -> dict[str, Any]:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)
            return {}

        gateway.actions["Heartbeat"] = wait
        async with charger(server) as client:
            await client.send('[2,"a","Heartbeat",{}]')
            await client.send('[2,"b","Heartbeat",{}]')
            await until(lambda: "Heartbeat" in gateway.events())
        await until(lambda: ended)
        assert gateway.events() == ["opened", "Heartbeat", "closed"]


@on_a_loop
async def test_a_connection_that_the_handler_cannot_take_is_closed() -> None:
    async with serving() as (server, gateway):

        async def fail(_connection: Connection) -> None:
            raise OSError("the disk is full")

        gateway.on_open = fail
        async with charger(server) as client:
            await client.wait_closed()
            assert client.close_code == 1011
            assert "disk" not in str(client.close_reason)
        assert gateway.events() == ["opened", "closed"]


@on_a_loop
async def test_the_gateway_closes_with_a_code_and_a_reason() -> None:
    async with serving() as (server, gateway), charger(server) as client:
        await until(gateway.events)
        gateway.connection().close(1008, "revoked")
        assert gateway.events() == ["opened", "closed"]
        with pytest.raises(NoAnswer, match="has ended"):
            await gateway.connection().call("ClearCache", {})
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1008, "revoked")
