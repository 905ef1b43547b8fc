"""Passwords within frames, which those who watch don't see."""

from __future__ import annotations

import json

import pytest

from evcs.core.ocpp.masking import masked

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
    ],
)  # fmt: skip
def test_a_password_is_not_shown(frame: list[object]) -> None:
    shown = masked(json.dumps(frame))
    assert SECRET not in shown
    assert json.loads(shown)[:2] == frame[:2]


def test_what_is_no_json_and_names_one_is_not_shown() -> None:
    assert SECRET not in masked(f'[2,"1","ChangeConfiguration",{{"AuthorizationKey": "{SECRET}"')


def test_all_else_is_as_it_came() -> None:
    frame = '[2, "1", "Heartbeat", {}]'
    assert masked(frame) == frame
