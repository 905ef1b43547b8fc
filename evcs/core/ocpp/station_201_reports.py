"""What an emulated OCPP 2.0.1 station tells of its variables, and lets be set: B05 to B08."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evcs.core.limits import phases
from evcs.core.ocpp.ports import CallError
from evcs.core.ocpp.rules import Code
from evcs.core.ocpp.station_201_variables import MOST_ITEMS, PASSWORD, PLACES, VARIABLES
from evcs.core.ocpp.station_calls import At
from evcs.core.ocpp.station_dialect import Answer, Order, Station
from evcs.core.ocpp.times import written

ACCEPTED = "Accepted"
#: Variables in one NotifyReport.
PAGE = 15
_COMPONENTS = {name.partition(".")[0].casefold() for name in VARIABLES}
_NAMES = {name.casefold(): name for name in VARIABLES}
_WITH_PHASES = ("ChargingStation", "Connector", "EVSE")
_SUMMARY = ("AvailabilityState", "Problem")


def get(station: Station, payload: Answer, at: At) -> Answer:
    """The values of variables (B06)."""
    asked = _few(payload["getVariableData"])
    values = _Values(station, at)
    return {"getVariableResult": [_answer(one, lambda name: _got(values, name)) for one in asked]}


def set_(station: Station, payload: Answer, at: At) -> Answer:
    """Variables, by their kinds; kept over restarts (B05)."""
    asked = _few(payload["setVariableData"])

    def setting(value: str) -> Callable[[str], Answer]:
        return lambda name: _set(station, name, value, at)

    return {"setVariableResult": [_answer(one, setting(one["attributeValue"])) for one in asked]}


def base_report(station: Station, payload: Answer, at: At) -> Answer:
    """All variables, those that can be set, or what is available, as NotifyReport (B07)."""
    base = payload["reportBase"]
    names = [
        name for name, one in VARIABLES.items()
        if base == "FullInventory"
        or (base == "ConfigurationInventory" and one.key.read is not None)
        or (base == "SummaryInventory" and name.partition(".")[2] in _SUMMARY)
    ]  # fmt: skip
    return _report(station, payload["requestId"], names, at)


def report(station: Station, payload: Answer, at: At) -> Answer:
    """Variables by component, name and criteria, as NotifyReport (B08)."""
    wanted, criteria = payload.get("componentVariable"), payload.get("componentCriteria")
    if wanted is not None:
        _few(wanted)
    values = _Values(station, at)
    names = [
        name for name in VARIABLES
        if (wanted is None or any(_is_of(name, one) for one in wanted))
        and (criteria is None or any(_meets(values, name, one) for one in criteria))
    ]  # fmt: skip
    return _report(station, payload["requestId"], names, at)


REPORTS: Mapping[str, Order] = {
    "GetBaseReport": base_report, "GetReport": report, "GetVariables": get, "SetVariables": set_,
}  # fmt: skip


class _Values:
    """What variables are now."""

    def __init__(self, station: Station, at: At) -> None:
        self._keys = station.keys
        self._now = _facts(station, at)
        self.max_power_w = station.most_w

    def text(self, name: str) -> str:
        """One's value."""
        return self._now[name] if name in self._now else self._keys.text(name)


def _facts(station: Station, at: At) -> dict[str, str]:
    """What is otherwise in each station, or now."""
    who, fault = station.dialect.identity, station.fault is not None
    return {
        "ChargingStation.AvailabilityState": station.status,
        "ChargingStation.FirmwareVersion": who.firmware,
        "ChargingStation.Model": who.model,
        "ChargingStation.Problem": str(fault).lower(),
        "ChargingStation.SerialNumber": who.serial,
        "ChargingStation.VendorName": who.vendor,
        "ClockCtrlr.DateTime": written(at.wall),
        "Connector.AvailabilityState": station.status,
        "EVSE.AvailabilityState": station.status,
        "EVSE.Power": str(station.sample.power_w),
        "LocalAuthListCtrlr.Entries": str(len(station.held.local.cards)),
        "SecurityCtrlr.Identity": who.serial,
        **{f"{one}.SupplyPhases": str(phases(station.most_w)) for one in _WITH_PHASES},
        "SmartChargingCtrlr.Entries[ChargingProfiles]": str(len(station.held.profiles)),
        "SecurityCtrlr.OrganizationName": who.vendor,
        "SecurityCtrlr.SecurityProfile": str(who.security_profile),
    }


def _few(asked: list[Any]) -> list[Any]:
    if len(asked) > MOST_ITEMS:
        raise CallError(Code.OCCURRENCE, f"more than {MOST_ITEMS} at once")
    return asked


def _answer(asked: Answer, found: Callable[[str], Answer]) -> Answer:
    """The result for one variable of a request: the same component and variable, and the word."""
    attribute = asked.get("attributeType", "Actual")
    name, word = _named(asked["component"], asked["variable"])
    if name and attribute != "Actual":
        word = "NotSupportedAttributeType"
    result = {"attributeStatus": word} if word or not name else found(name)
    same = {"component": asked["component"], "variable": asked["variable"]}
    return {**result, "attributeType": attribute, **same}


def _named(component: Answer, variable: Answer) -> tuple[str, str]:
    """A variable's name, or the word for one that it has not."""
    name = component["name"].casefold()
    place = next((dict(at) for of, at in PLACES.items() if of.casefold() == name), None)
    if name not in _COMPONENTS or component.get("instance") or component.get("evse") != place:
        return "", "UnknownComponent"
    instance = f"[{variable['instance']}]" if variable.get("instance") else ""
    found = _NAMES.get(f"{name}.{variable['name']}{instance}".casefold(), "")
    return found, "" if found else "UnknownVariable"


def _got(values: _Values, name: str) -> Answer:
    if VARIABLES[name].secret:
        return {"attributeStatus": "Rejected"}
    return {"attributeStatus": ACCEPTED, "attributeValue": values.text(name)}


def _set(station: Station, name: str, value: str, at: At) -> Answer:
    read = VARIABLES[name].key.read
    found = None if read is None else read(value.strip())
    if found is None:
        return {"attributeStatus": "Rejected"}
    station.held = station.held.configured(name, found)
    if name == PASSWORD:
        station.secure("ReconfigurationOfSecurityParameters", at)
    return {"attributeStatus": ACCEPTED}


def _report(station: Station, request: int, names: list[str], at: At) -> Answer:
    if not names:
        return {"status": "EmptyResultSet"}
    if station.agenda.is_full:
        return {"status": "Rejected"}
    values = _Values(station, at)
    pages = [names[start : start + PAGE] for start in range(0, len(names), PAGE)]
    for number, page in enumerate(pages):
        payload = {
            "requestId": request, "generatedAt": written(at.wall), "seqNo": number,
            "tbc": number + 1 < len(pages),
            "reportData": [_data(values, name) for name in page],
        }  # fmt: skip
        station.agenda.say("NotifyReport", payload)
    return {"status": ACCEPTED}


def _data(values: _Values, name: str) -> Answer:
    component, _, rest = name.partition(".")
    variable, _, instance = rest.partition("[")
    place = {"evse": dict(PLACES[component])} if component in PLACES else {}
    return {
        "component": {"name": component, **place},
        "variable": {"name": variable, **({"instance": instance[:-1]} if instance else {})},
        "variableAttribute": [_attribute(values, name)],
        "variableCharacteristics": _characteristics(values, name),
    }


def _attribute(values: _Values, name: str) -> Answer:
    one = VARIABLES[name]
    writable = one.key.read is not None
    mutability = "WriteOnly" if one.secret else "ReadWrite" if writable else "ReadOnly"
    told = {} if one.secret else {"value": values.text(name)}
    return {"type": "Actual", **told, "mutability": mutability, "persistent": writable}


def _characteristics(values: _Values, name: str) -> Answer:
    one = VARIABLES[name]
    most = values.max_power_w if name == "EVSE.Power" else one.most
    found: Answer = {"dataType": one.type, "supportsMonitoring": False}
    found |= {"unit": one.unit} if one.unit else {}
    found |= {"minLimit": one.least} if one.least is not None else {}
    found |= {"maxLimit": most} if most is not None else {}
    return found | ({"valuesList": ",".join(one.values)} if one.values else {})


def _is_of(name: str, wanted: Answer) -> bool:
    """Whether a request for a report means that variable; what it leaves out may be any."""
    component, variable = wanted["component"], wanted.get("variable", {})
    of, _, rest = name.partition(".")
    plain, _, instance = rest.partition("[")
    place, asked = PLACES.get(of, {}), component.get("evse", {})
    return (
        of.casefold() == component["name"].casefold()
        and not component.get("instance")
        and all(place.get(key) == value for key, value in asked.items())
        and variable.get("name", plain).casefold() == plain.casefold()
        and variable.get("instance", instance[:-1]).casefold() == instance[:-1].casefold()
    )


def _meets(values: _Values, name: str, criterion: str) -> bool:
    """Whether a component is so; one that can't be told to be is Active, Available and Enabled."""
    of = f"{name.partition('.')[0]}.{criterion}"
    if of not in VARIABLES:
        return criterion != "Problem"
    return values.text(of) == "true"
