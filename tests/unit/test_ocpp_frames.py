from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.core.ocpp import frames
from evcs.core.ocpp.frames import Call, Error, Malformed, Result
from evcs.core.ocpp.rules import MAX_DEPTH, Code, Fault, Version

V16, V201 = Version.V16, Version.V201
ID36, ID37 = "i" * 36, "i" * 37


def nested(levels: int) -> str:
    """A CALL whose payload has so many levels."""
    return '[2,"a","Heartbeat",' + '{"x":' * (levels - 1) + "{}" + "}" * (levels - 1) + "]"


# Text, its fault, and what goes back: code in 1.6, code in 2.0.1, id. None: nothing does.
RPC = "FormationViolation", "RpcFrameworkError"
FORMAT = "FormationViolation", "FormatViolation"
TABLE: list[tuple[str, Fault, str | None, str | None, str]] = [
    ("", Fault.NOT_JSON, *RPC, "-1"),
    ("hello", Fault.NOT_JSON, *RPC, "-1"),
    ('[2,"a","Heartbeat",{}', Fault.NOT_JSON, *RPC, "-1"),
    ('[2,"a","Heartbeat",{}] ]', Fault.NOT_JSON, *RPC, "-1"),
    ('[2,"a","MeterValues",{"value":NaN}]', Fault.NOT_JSON, *RPC, "-1"),
    ('[2,"a","MeterValues",{"value":1e400}]', Fault.NOT_JSON, *RPC, "-1"),
    ('[2,"a","Heartbeat",{"x":"\\ud800"}]', Fault.NOT_JSON, *RPC, "-1"),
    ("[" * 60_000, Fault.NOT_JSON, *RPC, "-1"),
    ("{}", Fault.NOT_A_LIST, *RPC, "-1"),
    ("null", Fault.NOT_A_LIST, *RPC, "-1"),
    ("[]", Fault.NOT_A_LIST, *RPC, "-1"),
    ('[5,"a","Heartbeat",{}]', Fault.MESSAGE_TYPE, None, "MessageTypeNotSupported", "a"),
    ('["2","a","Heartbeat",{}]', Fault.MESSAGE_TYPE, None, "MessageTypeNotSupported", "a"),
    ('[2.0,"a","Heartbeat",{}]', Fault.MESSAGE_TYPE, None, "MessageTypeNotSupported", "a"),
    ('[true,"a","Heartbeat",{}]', Fault.MESSAGE_TYPE, None, "MessageTypeNotSupported", "a"),
    ("[9]", Fault.MESSAGE_TYPE, None, "MessageTypeNotSupported", "-1"),
    ("[2]", Fault.NO_ID, *RPC, "-1"),
    ('[2,7,"Heartbeat",{}]', Fault.NO_ID, *RPC, "-1"),
    ('[2,null,"Heartbeat",{}]', Fault.NO_ID, *RPC, "-1"),
    ('[2,"","Heartbeat",{}]', Fault.NO_ID, *RPC, "-1"),
    (f'[2,"{ID37}","Heartbeat",{{}}]', Fault.LONG_ID, *RPC, "-1"),
    ('[2,"a"]', Fault.NOT_A_CALL, *RPC, "a"),
    ('[2,"a","Heartbeat"]', Fault.NOT_A_CALL, *RPC, "a"),
    ('[2,"a","Heartbeat",{},{}]', Fault.NOT_A_CALL, *RPC, "a"),
    ('[2,"a",7,{}]', Fault.NOT_A_CALL, *RPC, "a"),
    ('[2,"a","Heartbeat",[]]', Fault.PAYLOAD, *FORMAT, "a"),
    ('[2,"a","Heartbeat","{}"]', Fault.PAYLOAD, *FORMAT, "a"),
    (nested(MAX_DEPTH + 1), Fault.DEPTH, *FORMAT, "a"),
    ("[3]", Fault.BAD_ANSWER, None, None, ""),
    ('[3,"a"]', Fault.BAD_ANSWER, None, None, ""),
    ('[3,"a",7]', Fault.BAD_ANSWER, None, None, ""),
    ('[3,"a",{},{}]', Fault.BAD_ANSWER, None, None, ""),
    (f'[3,"{ID37}",{{}}]', Fault.BAD_ANSWER, None, None, ""),
    ('[4,"a"]', Fault.BAD_ANSWER, None, None, ""),
    ('[4,"a",7,"",{}]', Fault.BAD_ANSWER, None, None, ""),
]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize(("text", "fault", "in_v16", "in_v201", "message_id"), TABLE)
def test_what_is_no_frame_is_answered_by_the_table(
    version: Version,
    text: str,
    fault: Fault,
    in_v16: str | None,
    in_v201: str | None,
    message_id: str,
) -> None:
    code = in_v16 if version is V16 else in_v201
    found = frames.read(version, text)
    assert isinstance(found, Malformed)
    assert found.fault is fault
    assert found.answer == (code and Error(message_id, code, fault.rule.what))


def test_each_fault_of_a_frames_form_is_in_the_table() -> None:
    kinds = list(Fault)
    of_form = kinds[kinds.index(Fault.NOT_JSON) : kinds.index(Fault.BAD_ANSWER) + 1]
    assert {fault for _, fault, *_ in TABLE} == set(of_form)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (f'[2,"{ID36}","Heartbeat",{{}}]', Call(ID36, "Heartbeat", {})),
        (' [ 2 , "a" , "Heartbeat" , null ] ', Call("a", "Heartbeat", {})),
        ('[2,"é","X",{"a":"é"}]', Call("é", "X", {"a": "é"})),
        (nested(MAX_DEPTH), Call("a", "Heartbeat", json.loads(nested(MAX_DEPTH))[3])),
        ('[2,"a","X",{"l":[' + ",".join(["[]"] * 99) + "]}]", Call("a", "X", {"l": [[]] * 99})),
        ('[3,"a",{"status":"Accepted"}]', Result("a", {"status": "Accepted"})),
        ('[3,"a",null]', Result("a", {})),
        ('[4,"a","GenericError","no",{"x":1}]', Error("a", "GenericError", "no", {"x": 1})),
        ('[4,"a","GenericError","no"]', Error("a", "GenericError", "no")),
        ('[4,"a","GenericError"]', Error("a", "GenericError")),
        ('[4,"a","GenericError",null,null]', Error("a", "GenericError")),
    ],
)
def test_frames_are_read(text: str, frame: frames.Frame) -> None:
    assert frames.read(V16, text) == frames.read(V201, text) == frame


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(alphabet="abc", max_size=3), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.text() | JSON.map(json.dumps), st.sampled_from(Version))
def test_reading_never_raises_and_what_goes_back_is_a_frame(text: str, version: Version) -> None:
    found = frames.read(version, text)
    if isinstance(found, Malformed) and found.answer:
        assert frames.read(version, frames.write(found.answer)) == found.answer


@given(st.tuples(st.sampled_from([2, 3, 4, 5]), JSON, JSON, JSON, JSON), st.integers(0, 5))
def test_reading_never_raises_near_a_frame(parts: tuple[object, ...], length: int) -> None:
    frames.read(V201, json.dumps(list(parts)[:length]))


@given(st.dictionaries(st.text(alphabet="abé"), JSON, max_size=3))
def test_what_is_written_is_read(payload: dict[str, object]) -> None:
    for frame in (Call("a", "X", payload), Result("a", payload), Error("a", "X", "é", payload)):
        text = frames.write(frame)
        assert text.isascii()
        assert frames.read(V16, text) == frame


def test_a_description_is_cut_and_no_nan_is_written() -> None:
    assert len(json.loads(frames.write(Error("a", "X", "d" * 999)))[3]) == 255
    with pytest.raises(ValueError, match="JSON"):
        frames.write(Result("a", {"x": float("nan")}))


def test_codes_are_spelled_as_each_version_has_them() -> None:
    assert {code.spelled(V201) for code in Code} == {
        "FormatViolation", "GenericError", "InternalError", "MessageTypeNotSupported",
        "NotImplemented", "NotSupported", "OccurrenceConstraintViolation",
        "PropertyConstraintViolation", "ProtocolError", "RpcFrameworkError", "SecurityError",
        "TypeConstraintViolation",
    }  # fmt: skip
    assert {code.spelled(V16) for code in Code} == {
        "FormationViolation", "GenericError", "InternalError", "NotImplemented", "NotSupported",
        "OccurenceConstraintViolation", "PropertyConstraintViolation", "ProtocolError",
        "SecurityError", "TypeConstraintViolation",
    }  # fmt: skip
