"""Passwords within frames, which those who watch don't see."""

from __future__ import annotations

import json
import time

import pytest

from evcs.core.ocpp.masking import carries_key, masked, masked_tag

SECRET = "WmZ1Qx8Jr0s6Yt4Kb2Lp"


@pytest.mark.parametrize(
    "frame",
    [
        [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}],
        [2, "1", "ChangeConfiguration", {"value": SECRET, "key": "authorizationkey"}],
        [3, "1", {"configurationKey": [{"key": "AuthorizationKey", "readonly": False,
                                        "value": SECRET}]}],
        [2, "1", "SetVariables", {"setVariableData": [
            {"attributeValue": SECRET, "component": {"name": "SecurityCtrlr"},
             "variable": {"name": "BasicAuthPassword"}}]}],
        [2, "1", "SetNetworkProfile", {"connectionData": {"vpn": {"key": SECRET, "server": "s"}}}],
        [2, "1", "SetNetworkProfile", {"connectionData": {"vpn": {"password": SECRET}}}],
        [2, "1", "SetNetworkProfile", {"connectionData": {"apn": {"apnPassword": SECRET}}}],
        [2, "1", "GetDiagnostics", {"location": f"ftp://user:{SECRET}@host/x"}],
        [2, "1", "GetLog", {"log": {"remoteLocation": f"sftp://{SECRET}@host/"}}],
    ],
)  # fmt: skip
def test_a_password_is_not_shown(frame: list[object]) -> None:
    shown = masked(json.dumps(frame))
    assert SECRET not in shown
    assert json.loads(shown)[:2] == frame[:2]


@pytest.mark.parametrize(
    "frame",
    [
        f'[2,"1","GetDiagnostics",{{"location":"ftp:\\/\\/user:{SECRET}@host\\/x"}}]',
        f'[2,"1","GetDiagnostics",{{"location":"ftp://user:{SECRET}\\u0040host/x"}}]',
        f'[2,"1","ChangeConfiguration",{{"key":"Authorization\\u004bey","value":"{SECRET}"}}]',
    ],
)
def test_a_password_is_not_shown_however_it_is_spelled(frame: str) -> None:
    assert SECRET not in masked(frame)
    assert json.loads(masked(frame))[:2] == [2, "1"]


@pytest.mark.parametrize("text", ["://", "://@", "://x", ":", "@", "[", "\\/", "password"])
def test_a_long_frame_takes_no_longer_for_what_is_in_it(text: str) -> None:
    frame = json.dumps([2, "1", "DataTransfer", {"data": text * (60_000 // len(text))}])
    began = time.process_time()
    for _ in range(5):
        masked(frame)
    assert time.process_time() - began < 0.5


def test_what_is_no_json_and_names_one_is_not_shown() -> None:
    assert SECRET not in masked(f'[2,"1","ChangeConfiguration",{{"AuthorizationKey": "{SECRET}"')


def test_all_else_is_as_it_came() -> None:
    frame = '[2, "1", "Heartbeat", {}]'
    assert masked(frame) == frame


@pytest.mark.parametrize(
    "payload",
    [
        {"key": "AuthorizationKey", "value": SECRET},
        {"all": [{"variable": {"name": "basicAuthPassword"}, "attributeValue": SECRET}]},
        {"key": " SecurityCtrlr.BasicAuthPassword", "value": SECRET},
    ],
)  # fmt: skip
def test_a_charger_s_key_is_known_before_it_is_sent(payload: object) -> None:
    assert carries_key(payload)


def test_all_other_keys_may_be_set() -> None:
    assert not carries_key({"key": "HeartbeatInterval", "value": "300"})
    assert not carries_key({"key": ["AuthorizationKey"]}), "that reads it"


@pytest.mark.parametrize(
    ("tag", "shown"), [("04A1B2C3", "04...C3"), ("A1B2C3", "..."), ("", "...")]
)  # fmt: skip
def test_of_a_card_little_is_logged(tag: str, shown: str) -> None:
    assert masked_tag(tag) == shown
