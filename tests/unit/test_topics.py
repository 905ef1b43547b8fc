from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core import ids, topics
from evcs.core import messages as m
from evcs.core.session_commands import stop_orphan

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).map(ids.plain).filter(ids.is_word)
INTS = st.integers(-topics.MAX_INT, topics.MAX_INT)
FLOATS = st.floats(-topics.MAX_INT, topics.MAX_INT, allow_nan=False)
BODIES = st.dictionaries(TEXTS.map("x_{}".format), st.none() | TEXTS | INTS | st.booleans())
BY_HINT: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXTS, "int": INTS, "bool": st.booleans(), "float": FLOATS, "None": st.none(),
    "tuple[str, ...]": st.lists(TEXTS, max_size=3).map(tuple),
    "dict[str, int]": st.dictionaries(TEXTS, INTS, max_size=3), "Mapping[str, Any]": BODIES,
}  # fmt: skip
BY_NAME = {
    "cp": IDS, "host": IDS, "driver": IDS, "station": IDS, "name": IDS,
    "asker": st.sampled_from(["operator", "web"]),
    "service": st.sampled_from(["central", "registry", "web", "manager/main", "gateway/main"]),
}  # fmt: skip
PRICES = st.lists(st.tuples(TEXTS, st.sampled_from(["0.30", "1"])), max_size=4).map(
    lambda pairs: tuple(sorted(pairs, key=lambda pair: pair[0]))
)
KINDS = sorted({route.kind for route in topics.ROUTES}, key=lambda kind: kind.__name__)
TS = "2026-11-22T09:00:00.000Z"


def messages_of(kind: type) -> st.SearchStrategy[Any]:
    """Any message of a kind, by the types of its fields."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, hint in kind.__annotations__.items():
        parts = str(getattr(hint, "__forward_arg__", hint)).split(" | ")
        if "{" + name + "}" in topics._BY_KIND[kind].template:
            fields[name] = BY_NAME[name]
        elif name == "prices":
            fields[name] = PRICES
        else:
            fields[name] = st.one_of(*(BY_HINT.get(p, VIEWS) for p in parts))
    return st.builds(kind, **fields)


VIEWS = st.builds(
    m.SessionView,
    session_id=TEXTS,
    driver=TEXTS,
    energy_wh=INTS,
    power_w=INTS,
    cost_eur=TEXTS,
    limit_w=st.none() | INTS,
    wait_s=st.none() | INTS,
    limit_shown_s=st.none() | INTS,
    requested_wh=st.none() | INTS,
)
MESSAGES = st.one_of(*(messages_of(kind) for kind in KINDS))


def as_read(message: Any) -> Any:
    """A message without what goodbyes leave out."""
    if getattr(message, "online", True) or not hasattr(message, "boot"):
        return message
    kept = {**{name: getattr(message, name) for name in message._fields[:3]}}
    return type(message)(**kept)


@given(MESSAGES)
def test_every_message_comes_back_as_it_was(message: Any) -> None:
    sent = topics.encode(message, TS)
    assert topics.decode(sent.topic, sent.payload) == as_read(message)
    assert json.loads(sent.payload)["ts"] == TS


@given(MESSAGES, st.sampled_from(["new", "zz", "version2"]), st.booleans())
def test_unknown_keys_are_ignored(message: Any, key: str, value: bool) -> None:
    sent = topics.encode(message, TS)
    more = json.dumps({**json.loads(sent.payload), key: value}).encode()
    found: Any = topics.decode(sent.topic, more)
    if hasattr(message, "body"):
        found = found._replace(body={k: v for k, v in found.body.items() if k != key})
    assert found == as_read(message)


def test_a_key_that_another_kind_knows_is_ignored_too() -> None:
    payload = b'{"verb":"stop","id":"1","session_id":"S","online":false}'
    found = topics.decode("evcs/v1/central/cp/CP-001/engine/cmd", payload)
    assert found == m.Command("CP-001", "stop", "1", "S")


@given(MESSAGES)
def test_the_topic_says_who_speaks_not_the_payload(message: Any) -> None:
    sent = topics.encode(message, TS)
    levels = set(topics._BY_KIND[type(message)].template.split("/"))
    told = json.loads(sent.payload)
    assert not [name for name in message._fields if "{" + name + "}" in levels and name in told]
    forged = json.dumps({**told, "cp": "CP-666", "driver": "MALLORY", "asker": "web"}).encode()
    if any("{" + name + "}" in levels for name in ("cp", "driver")):
        found = topics.decode(sent.topic, forged)
        for name in ("cp", "driver"):
            if "{" + name + "}" in levels:
                assert getattr(found, name) == getattr(message, name)


@pytest.mark.parametrize(
    "will",
    [m.EngineStatus("C", False, "b"), m.MonitorStatus("C", False, "b"),
     m.ServiceStatus("manager/main", False, "b")],
)  # fmt: skip
def test_a_will_says_offline_and_which_boot_and_nothing_more(will: Any) -> None:
    sent = topics.encode(will, None)
    assert json.loads(sent.payload) == {"online": False, "boot": "b"}
    assert (sent.retain, sent.qos) == (True, 1)
    assert topics.decode(sent.topic, sent.payload) == will


@given(MESSAGES)
def test_an_empty_payload_is_a_retained_message_taken_away(message: Any) -> None:
    sent = topics.encode(message, TS)
    found = topics.decode(sent.topic, b"")
    assert isinstance(found, m.Cleared)
    assert found.kind is type(message)
    assert all(getattr(message, name) == value for name, value in found.key.items())


STATUS = "evcs/v1/cp/CP-001/engine/status"
METER = "evcs/v1/cp/CP-001/engine/meter"
GOOD_METER = {"session_id": "S", "seq": 1, "energy_wh": 2, "power_w": 3, "voltage_v": 230.0,
              "current_a": 1.0}  # fmt: skip
UNREADABLE = {
    "bad UTF-8": b'{"online":true,"boot":"\xff"}',
    "UTF-16": '{"online":true,"boot":"b"}'.encode("utf-16"),
    "BOM": b'\xef\xbb\xbf{"online":true,"boot":"b"}',
    "not JSON": b"hello",
    "half": b'{"online":true',
    "two": b'{"online":true,"boot":"b"}{}',
    "NUL": b"\0",
    "list": b"[]",
    "null": b"null",
    "text": b'"x"',
    "empty object": b"{}",
    "no boot": b'{"online":true}',
    "number as bool": b'{"online":1,"boot":"b"}',
    "text as bool": b'{"online":"true","boot":"b"}',
    "null as text": b'{"online":true,"boot":null}',
    "a will without boot": b'{"online":false}',
    "object as text": b'{"online":true,"boot":{}}',
    "overlong text": b'{"online":true,"boot":"' + b"x" * 129 + b'"}',
    "control character": b'{"online":true,"boot":"a\\u001b[2J"}',
    "line end": b'{"online":true,"boot":"a\\n"}',
    "change of direction": b'{"online":true,"boot":"\\u202e"}',
    "overlong payload": b'{"online":true,"boot":"b"}' + b" " * topics.MAX_PACKET,
    "deep list": b"[" * 30_000 + b"]" * 30_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deep in a key that is unknown": b'{"online":true,"boot":"b","x":'
    + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "lone surrogate": b'{"online":true,"boot":"\\ud800"}',
    "lone surrogate in a key": b'{"online":true,"boot":"b","\\udfff":1}',
}  # fmt: skip


@pytest.mark.parametrize("payload", UNREADABLE.values(), ids=UNREADABLE)
def test_what_can_not_be_read_raises_unreadable_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(topics.Unreadable):
        topics.decode(STATUS, payload)


@pytest.mark.parametrize("field", ["seq", "energy_wh", "power_w", "voltage_v"])
@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e400", "1e308", "-1e308", "true", "null", '"1"', "[1]",
     "1" * 17, "-" + "1" * 17, "1" + "0" * 400, "-1" + "0" * 400, "9" * 5_000],
    ids=lambda value: value[:9],
)  # fmt: skip
def test_numbers_out_of_bounds_or_of_another_type_are_unreadable(field: str, value: str) -> None:
    text = json.dumps({**GOOD_METER, field: "@"}).replace('"@"', value)
    with pytest.raises(topics.Unreadable):
        topics.decode(METER, text.encode())


def test_a_sessions_id_leaves_room_for_those_of_its_commands() -> None:
    for length in (ids.MAX_SESSION_ID, ids.MAX_SESSION_ID + 1):
        stop = stop_orphan("CP-1", "x" * length)
        sent = topics.encode(stop, TS)
        if length > ids.MAX_SESSION_ID:
            with pytest.raises(topics.Unreadable, match="session_id is too long"):
                topics.decode(sent.topic, sent.payload)
        else:
            assert topics.decode(sent.topic, sent.payload) == stop


def test_an_integer_is_not_read_from_a_decimal() -> None:
    with pytest.raises(topics.Unreadable):
        topics.decode(METER, json.dumps({**GOOD_METER, "energy_wh": 2.0}).encode())
    assert topics.decode(METER, json.dumps({**GOOD_METER, "voltage_v": 230}).encode())


def test_an_emoji_written_as_a_surrogate_pair_is_text() -> None:
    found = topics.decode(STATUS, b'{"online":true,"boot":"b","fault":"\\ud83d\\udd0c"}')
    assert isinstance(found, m.EngineStatus)
    assert found.fault == "🔌"


@pytest.mark.parametrize(
    "topic",
    ["", "evcs", "evcs/v1", "evcs/v1/", "evcs/v2/central/status", "x/evcs/v1/central/status",
     "evcs/v1/cp/CP-001/engine", "evcs/v1/cp/CP-001/engine/status/", "evcs/v1/cp//engine/status",
     "evcs/v1/cp/../engine/status", "evcs/v1/cp/+/engine/status", "evcs/v1/cp/#",
     "evcs/v1/cp/CP 1/engine/status", "evcs/v1/cp/CP\n/engine/status", "evcs/v1/mallory/request",
     "evcs/v1/mallory/status", "evcs/v1/central/mallory/event", "EVCS/v1/central/status",
     "evcs/v1/cp/" + "x" * 33 + "/engine/status", "evcs/v1/" + "a/" * 5_000],
    ids=lambda topic: ascii(topic)[:40],
)  # fmt: skip
def test_an_unknown_topic_is_unreadable(topic: str) -> None:
    with pytest.raises(topics.Unreadable):
        topics.decode(topic, b'{"online":true,"boot":"b","id":"1","verb":"stop"}')


@pytest.mark.parametrize(
    ("told", "kept"),
    [("cable damaged", "cable damaged"), ('"%;<b>é🔌', '"%;<b>é🔌'), ("a\x1b[2J\r\nb", "a [2J  b"),
     ("\u202eabc\x9b", " abc "), ("x" * 200, "x" * 200), ("x" * 4_096, "x" * 199 + "…"),
     ("\x01" * 4_096, " " * 199 + "…"), ("👩\u200d🔧", "👩\u200d🔧")],
    ids=ascii,
)  # fmt: skip
def test_a_text_from_outside_is_for_people_short_and_steers_nothing(told: str, kept: str) -> None:
    payload = json.dumps({"online": True, "boot": "b", "fault": told}).encode()
    found = topics.decode(STATUS, payload)
    assert isinstance(found, m.EngineStatus)
    assert found.fault == kept


def test_a_location_is_the_operators_and_stays_as_it_is() -> None:
    desired = m.DesiredCp("A", "A", "in", "0.30", 1, "a\nb\t", "main", False, False, 1)
    sent = topics.encode(desired, TS)
    assert topics.decode(sent.topic, sent.payload) == desired


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(MESSAGES, st.data())
def test_a_mutated_message_is_read_or_unreadable_and_what_is_read_can_be_told_on(
    message: Any, data: st.DataObject
) -> None:
    sent = topics.encode(message, TS)
    told = json.loads(sent.payload)
    key = data.draw(st.sampled_from(sorted(told)))
    told[key] = data.draw(JSON)
    raw = json.dumps(told).encode()
    cut = data.draw(st.integers(0, len(raw)))
    for payload in (raw, raw[:cut], raw[:cut] + data.draw(st.binary(max_size=4)) + raw[cut:]):
        try:
            found = topics.decode(sent.topic, payload)
        except topics.Unreadable:
            continue
        if not isinstance(found, m.Cleared):
            topics.encode(found, TS)


@given(st.binary(max_size=200), st.sampled_from([r.template for r in topics.ROUTES]))
def test_random_bytes_are_never_more_than_unreadable(payload: bytes, template: str) -> None:
    levels = {"cp": "CP-1", "driver": "A", "host": "main", "asker": "web", "service": "manager",
              "station": "S", "name": "C"}  # fmt: skip
    topic = topics.PREFIX + topics._spell(template, levels)
    try:
        topics.decode(topic, payload)
    except topics.Unreadable:
        return


def test_each_identity_writes_only_below_its_own_name() -> None:
    """The contract's one rule of access, held against every message's topic."""
    speaks = {
        m.DesiredCp: "registry", m.ReconcileReport: "manager/main",
        m.EngineStatus: "cp/CP-1/engine",
        m.MonitorStatus: "cp/CP-1/monitor", m.Meter: "cp/CP-1/engine",
        m.SessionEvent: "cp/CP-1/engine", m.Reply: "cp/CP-1/engine", m.CpState: "central",
        m.Command: "central", m.DriverRequest: "driver/A", m.OperatorRequest: "web",
        m.StationRequest: "cp/CP-1/engine", m.StationAnswer: "central",
        m.DriverEvent: "central", m.OperatorEvent: "central", m.Summary: "central",
        m.Flood: "central", m.DesiredDriver: "registry",
        m.ManagerCommand: "central", m.ManagerReply: "manager/main",
        m.GatewayCommand: "central", m.GatewayReply: "gateway/main",
        m.DesiredStation: "registry", m.StationStatus: "gateway/main",
        m.StationFrame: "gateway/main",
        m.DesiredHost: "registry", m.HostState: "central",
        m.Circuit: "registry", m.MeterPower: "meter/C", m.CircuitState: "central",
        m.ServiceStatus: "manager/main",
    }  # fmt: skip
    levels = {"cp": "CP-1", "driver": "A", "host": "main", "asker": "web", "station": "S",
              "name": "C", "service": "manager/main"}  # fmt: skip
    assert speaks.keys() == set(KINDS)
    for kind, identity in speaks.items():
        template = topics._BY_KIND[kind].template
        assert topics._spell(template, levels).startswith(identity + "/")


@pytest.mark.parametrize(
    "tags", ["x", [1], ["a\n"], ["x" * 129], [["a"]], ["x"] * 33], ids=lambda tags: str(tags)[:20]
)
def test_tags_are_so_many_words(tags: object) -> None:
    topic = f"{topics.PREFIX}registry/driver/ALICE"
    with pytest.raises(topics.Unreadable, match="tags"):
        topics.decode(topic, json.dumps({"id": "ALICE", "tags": tags}).encode())
    found = topics.decode(topic, b'{"id": "ALICE", "tags": ["04A2", "x"]}')
    assert found == m.DesiredDriver("ALICE", "ALICE", ("04A2", "x"))


STATION = f"{topics.PREFIX}gateway/main/station/S-1"


def test_what_a_station_says_of_itself_is_for_people() -> None:
    payload = {"online": False, "vendor": "A\x1b[2J", "model": "x" * 300, "serial": "9\n"}
    found = topics.decode(f"{STATION}/status", json.dumps(payload).encode())
    assert found == m.StationStatus(
        "main", "S-1", False, vendor="A [2J", model="x" * 199 + "…", serial="9 "
    )


def test_a_frame_is_as_long_as_it_is() -> None:
    frame = json.dumps([2, "1", "DataTransfer", {"data": "\x7f" + "x" * 20_000}], indent=1)
    sent = topics.encode(m.StationFrame("main", "S-1", "in", "1.6", frame), TS)
    assert (sent.qos, sent.retain) == (0, False)
    found = topics.decode(sent.topic, sent.payload)
    assert isinstance(found, m.StationFrame)
    assert found.frame == ids.plain(frame)
