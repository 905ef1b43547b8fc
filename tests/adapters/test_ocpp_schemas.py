from __future__ import annotations

import time
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcs.adapters.ocpp_schemas import NO_TIME, OcppSchemas
from evcs.core.ocpp.actions import Sender, actions, knows
from evcs.core.ocpp.rules import Fault, Version

V16, V201 = Version.V16, Version.V201
AT = "2026-11-30T07:00:00Z"
BOOT: dict[Version, dict[str, Any]] = {
    V16: {"chargePointVendor": "V", "chargePointModel": "M"},
    V201: {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
}
START = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": AT}
STATUS = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


SCHEMAS = OcppSchemas()


@pytest.fixture(scope="module")
def schemas() -> OcppSchemas:
    return SCHEMAS


def sampled(unit: str) -> dict[str, Any]:
    """A reading of 1.6 in that unit."""
    return {"timestamp": AT, "sampledValue": [{"value": "1", "unit": unit}]}


def without(payload: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in payload.items() if key != name}


@pytest.mark.parametrize(
    ("version", "action", "payload", "fault", "where"),
    [
        (V16, "StartTransaction", START, None, ""),
        (V16, "StartTransaction", without(START, "idTag"), Fault.MISSING, "payload: idTag missing"),
        (V16, "StartTransaction", START | {"x": 1}, Fault.EXTRA, "payload: x not known"),
        (V16, "StartTransaction", START | {"meterStart": "0"}, Fault.TYPE, "meterStart: type"),
        (V16, "StartTransaction", START | {"meterStart": 0.5}, Fault.TYPE, "meterStart: type"),
        (V16, "StartTransaction", START | {"meterStart": True}, Fault.TYPE, "meterStart: type"),
        (V16, "StartTransaction", START | {"idTag": None}, Fault.TYPE, "idTag: type string"),
        (V16, "StartTransaction", START | {"idTag": "T" * 21}, Fault.VALUE, "idTag: maxLength 20"),
        (V16, "StartTransaction", START | {"timestamp": "now"}, Fault.VALUE, "timestamp: format"),
        (V16, "StartTransaction", START | {"timestamp": "2026-11-30T09:00:00.123456789+01:00"},
         None, ""),
        (V16, "StartTransaction", START | {"timestamp": f"2026-11-30T09:00:00.{'0' * 60_000}Z"},
         Fault.VALUE, "timestamp: format"),
        (V201, "StatusNotification", STATUS | {"timestamp": f"2026-11-30T09:00:00.{'0' * 20}Z"},
         Fault.VALUE, "timestamp: format"),
        (V16, "MeterValues", {"connectorId": 1, "meterValue": []}, Fault.MISSING, "meterValue"),
        (V16, "MeterValues", {"connectorId": 1, "meterValue": [sampled("J")]}, Fault.VALUE,
         "meterValue.0.sampledValue.0.unit: enum"),
        (V201, "StatusNotification", STATUS, None, ""),
        (V201, "StatusNotification", without(STATUS, "evseId"), Fault.MISSING, "payload: evseId"),
        (V201, "StatusNotification", STATUS | {"x": 1}, Fault.EXTRA, "payload: x not known"),
        (V201, "StatusNotification", STATUS | {"evseId": "1"}, Fault.TYPE, "evseId: type integer"),
        (V201, "StatusNotification", STATUS | {"connectorStatus": "Charging"}, Fault.VALUE,
         "connectorStatus: enum"),
        (V201, "MeterValues", {"evseId": 1, "meterValue": []}, Fault.MISSING, "minItems 1"),
        (V201, "BootNotification", BOOT[V201] | {"chargingStation": {"model": "M"}}, Fault.MISSING,
         "chargingStation: vendorName missing"),
        (V201, "BootNotification", BOOT[V201] | {"customData": {"vendorId": "V", "x": {}}}, None,
         ""),
    ],
)  # fmt: skip
def test_what_a_payload_violates(
    schemas: OcppSchemas,
    version: Version,
    action: str,
    payload: dict[str, Any],
    fault: Fault | None,
    where: str,
) -> None:
    found = schemas.violation(version, action, payload)
    assert (found and found.fault) == fault
    assert where in (found.description if found else "")


STOP = {"transactionId": 7, "meterStop": 1_500, "timestamp": AT}
EVENT = {"eventType": "Ended", "timestamp": AT, "triggerReason": "EVDeparted", "seqNo": 3,
         "transactionInfo": {"transactionId": "t"}}  # fmt: skip
REGISTER = {"value": 1_500, "measurand": "Energy.Active.Import.Register"}


def metered(*samples: dict[str, Any], at: str = AT) -> dict[str, Any]:
    """An event with these readings."""
    return EVENT | {"meterValue": [{"timestamp": at, "sampledValue": list(samples)}]}


@pytest.mark.parametrize(
    ("version", "action", "payload", "readable"),
    [
        (V16, "StopTransaction", STOP | {"reason": "Bored", "x": 1, "idTag": "T" * 30}, STOP),
        (V16, "StopTransaction", STOP | {"transactionId": "7", "meterStop": "1500.9"}, STOP),
        (V16, "StopTransaction", STOP | {"transactionData": [sampled("Wh"), sampled("J")]},
         STOP | {"transactionData": [sampled("Wh"), {"timestamp": AT, "sampledValue": []}]}),
        (V16, "StopTransaction", STOP | {"transactionData": [{"timestamp": AT}]},
         STOP | {"transactionData": []}),
        (V16, "StopTransaction", STOP | {"timestamp": "30.11.2026"}, STOP | {"timestamp": NO_TIME}),
        (V16, "StopTransaction", without(STOP, "timestamp"), STOP | {"timestamp": NO_TIME}),
        (V16, "StopTransaction", without(STOP, "meterStop"), None),
        (V16, "StopTransaction", STOP | {"meterStop": "much"}, None),
        (V16, "StopTransaction", STOP | {"meterStop": True}, None),
        (V16, "StopTransaction", STOP | {"meterStop": "nan"}, None),
        (V16, "StopTransaction", {}, None),
        (V201, "TransactionEvent", metered(REGISTER, REGISTER | {"value": "nan"}),
         metered(REGISTER)),
        (V16, "MeterValues", {"connectorId": "one", "meterValue": [sampled("Wh")]}, None),
        (V201, "TransactionEvent", metered(REGISTER, REGISTER | {"measurand": "Fun"}),
         metered(REGISTER)),
        (V201, "TransactionEvent", metered(REGISTER | {"value": "1500"}), metered(REGISTER)),
        (V201, "TransactionEvent", metered(REGISTER, at="noon"), metered(REGISTER, at=NO_TIME)),
        (V201, "TransactionEvent", metered(REGISTER) | {"idToken": {"idToken": "x"}},
         metered(REGISTER)),
        (V201, "TransactionEvent", metered(), EVENT),
        (V201, "TransactionEvent", EVENT | {"transactionInfo": {}}, None),
        (V201, "TransactionEvent", EVENT | {"meterValue": [[]] * 1_000}, EVENT),
        (V201, "TransactionEvent", EVENT | {"evse": {"id": "x", "connectorId": 1}}, EVENT),
    ],
)  # fmt: skip
def test_what_can_be_read_of_what_violates_its_schema(
    schemas: OcppSchemas,
    version: Version,
    action: str,
    payload: dict[str, Any],
    readable: dict[str, Any] | None,
) -> None:
    before = repr(payload)
    assert schemas.violation(version, action, payload) is not None
    assert schemas.readable(version, action, payload) == readable
    assert repr(payload) == before


@pytest.mark.parametrize(
    ("version", "action", "told", "good", "bad"),
    [
        (V16, "MeterValues", {"connectorId": 1}, {"value": ""}, {"value": 1}),
        (V201, "TransactionEvent", EVENT, {"value": 1}, {"value": "1"}),
    ],
)  # fmt: skip
def test_to_read_what_violates_its_schema_takes_a_time_of_its_length(
    schemas: OcppSchemas, version: Version, action: str,
    told: dict[str, Any], good: dict[str, Any], bad: dict[str, Any],
) -> None:  # fmt: skip
    samples = [{**good} for _ in range(4_400)] + [{**bad} for _ in range(60)]
    payload = told | {"meterValue": [{"timestamp": AT, "sampledValue": samples}]}
    schemas.violation(version, action, payload)
    began = time.process_time()
    schemas.violation(version, action, payload)
    once = time.process_time() - began
    found = schemas.readable(version, action, payload)
    assert time.process_time() - began < 12 * once
    assert found is not None
    assert len(found["meterValue"][0]["sampledValue"]) == len(samples)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
TOLD = (
    (V16, "StopTransaction", STOP | {"idTag": "T", "transactionData": [sampled("Wh")] * 2}),
    (V16, "MeterValues", {"connectorId": 1, "meterValue": [sampled("kWh")]}),
    (V201, "TransactionEvent", metered(REGISTER, REGISTER) | {"evse": {"id": 1}}),
)


def places(inside: Any) -> list[tuple[Any, Any]]:
    """Each field and element, however deep, by what holds it."""
    keys = inside if isinstance(inside, dict) else range(len(inside))
    if not isinstance(inside, dict | list):
        return []
    return [(inside, key) for key in keys] + [
        place
        for key in keys
        if isinstance(inside[key], dict | list)
        for place in places(inside[key])
    ]


@given(st.data())
def test_whatever_is_told_is_read_as_far_as_it_can_be(data: st.DataObject) -> None:
    version, action, told = data.draw(st.sampled_from(TOLD))
    payload = deepcopy(told)
    for _ in range(data.draw(st.integers(1, 4))):
        holder, key = data.draw(st.sampled_from(places(payload)))
        holder[key] = data.draw(JSON)
    found = SCHEMAS.readable(version, action, payload)
    assert found is None or SCHEMAS.violation(version, action, found) is None


@pytest.mark.parametrize("version", Version)
def test_answers_have_schemas_of_their_own(schemas: OcppSchemas, version: Version) -> None:
    good = {"status": "Accepted", "currentTime": AT, "interval": 300}
    assert schemas.violation(version, "BootNotification", good, answer=True) is None
    bad = schemas.violation(version, "BootNotification", good | {"interval": 0.5}, answer=True)
    assert bad is not None
    assert bad.fault is Fault.TYPE


def test_what_the_errata_of_v16_have_set_right(schemas: OcppSchemas) -> None:
    stop = {"transactionId": 1, "meterStop": 1, "timestamp": AT}
    both = [sampled("Celsius"), sampled("Celcius")]
    for action, payload in (
        ("StopTransaction", stop),  # without a reason
        ("StopTransaction", stop | {"transactionData": both}),
        ("MeterValues", {"connectorId": 1, "meterValue": both}),
    ):
        assert schemas.violation(V16, action, payload) is None
    entry = {"idTag": "T", "idTagInfo": {"status": "Accepted", "expiryDate": AT}}
    send = {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]}
    assert schemas.violation(V16, "SendLocalList", send) is None


def test_a_limit_of_a_tenth_is_one(schemas: OcppSchemas) -> None:
    period = {"startPeriod": 0, "limit": 16.3}
    profile = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
               "chargingProfileKind": "Relative",
               "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]},
               }  # fmt: skip
    payload = {"connectorId": 1, "csChargingProfiles": profile}
    assert schemas.violation(V16, "SetChargingProfile", payload) is None
    period["limit"] = 16.35
    found = schemas.violation(V16, "SetChargingProfile", payload)
    assert found is not None
    assert found.fault is Fault.VALUE


@pytest.mark.parametrize(("version", "folder"), [(V16, "v16"), (V201, "v201")])
def test_each_action_has_its_schemas_and_no_other_has(
    schemas: OcppSchemas, version: Version, folder: str
) -> None:
    spec = find_spec("ocpp")
    assert spec is not None
    assert spec.submodule_search_locations
    files = Path(spec.submodule_search_locations[0], folder, "schemas").glob("*Response.json")
    ours = actions(version, Sender.CHARGER) | actions(version, Sender.CENTRAL_SYSTEM)
    assert {path.name.removesuffix("Response.json") for path in files} == set(ours)
    for action in ours:
        schemas.violation(version, action, {})
        schemas.violation(version, action, {}, answer=True)
    both = actions(version, Sender.CHARGER) & actions(version, Sender.CENTRAL_SYSTEM)
    assert both == {"DataTransfer"}
    assert knows(version, "Reset")
    assert not knows(version, "reset")
