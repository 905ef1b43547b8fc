"""The contract's commands as tables: what to type, and how it must end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CP_FIELDS = {
    "id", "location", "price_eur_kwh", "max_power_w", "host", "service", "revoked", "state",
    "ocpp_status", "reason", "session", "since",
}  # fmt: skip
TICKET_FIELDS = {
    "session_id", "cp", "driver", "state", "started_at", "ended_at", "energy_wh", "cost_eur",
    "price_eur_kwh", "reason",
}  # fmt: skip
MISSING = "/no/such/file"


#: Where no system was ever started: exit codes.
NOT_STARTED = {
    "evcs down": 0,
    "evcs status": 6,
    "evcs status --check": 6,
    "evcs doctor": 4,
    "evcs logs": 4,
    "evcs open": 6,
    "evcs watch": 6,
    "evcs audit": 0,
    "evcs driver add ALICE": 6,
    "evcs driver remove ALICE": 6,
    "evcs driver remove ALICE --forget": 6,
    "evcs driver list": 6,
    "evcs pools": 6,
    "evcs sessions": 0,
    "evcs sessions close x": 6,
    f"evcs backup {MISSING}/x": 4,
    f"evcs restore {MISSING}": 4,
    "evcs config show": 0,
    "evcs completion bash": 0,
    "evcs-cp create CP-001": 6,
    "evcs-cp export": 6,
    "evcs-cp list": 6,
    "evcs-cp list --watch": 6,
    "evcs-cp show CP-001": 6,
    "evcs-cp edit CP-001 --price-eur-kwh 1": 6,
    "evcs-cp delete CP-001": 6,
    "evcs-cp stop CP-001": 6,
    "evcs-cp stop --all": 6,
    "evcs-cp resume CP-001": 6,
    "evcs-cp restart CP-001": 6,
    "evcs-cp plug CP-001": 6,
    "evcs-cp unplug CP-001": 6,
    "evcs-cp fault CP-001": 6,
    "evcs-cp clear CP-001": 6,
    "evcs-cp kill CP-001 engine": 6,
    "evcs-cp revoke CP-001": 6,
    "evcs-cp rekey CP-001": 6,
    "evcs-cp connect CP-001": 6,
    "evcs-cp ocpp CP-001 Reset type=Soft": 6,
    "evcs-cp ocpp CP-001 Reset --json {}": 6,
    "evcs-cp ocpp CP-001 Reset --json [": 2,
    "evcs-cp ocpp CP-001 Reset type": 2,
    "evcs driver tag ALICE add": 2,
    "evcs driver tag ALICE add 04A2": 6,
    "evcs driver tag ALICE list": 6,
    "evcs-cp logs CP-001": 6,
}


def a_cp(found: Any) -> bool:
    return isinstance(found, dict) and found.keys() >= CP_FIELDS


def cps(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(map(a_cp, found))


def tickets(found: Any) -> bool:
    return isinstance(found, list) and all(one.keys() >= TICKET_FIELDS for one in found)


def done_is(word: str) -> Callable[[Any], bool]:
    return lambda found: found["done"] == word


def keys(*names: str) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, dict) and set(names) <= found.keys()


#: On a fleet that runs, in order: what each prints as JSON.
SUCCESS: list[tuple[str, Callable[[Any], bool]]] = [
    ("evcs up", lambda found: found["started"] is False),
    ("evcs up --wait", keys("home", "web")),
    ("evcs status", keys("home", "services", "cps")),
    ("evcs status --check", lambda found: found == []),
    ("evcs doctor", keys("checks", "fixed")),
    ("evcs open --no-browser", lambda found: found["url"].startswith("http://127.0.0.1:")),
    ("evcs audit", lambda found: isinstance(found, list)),
    ("evcs audit --cp CP-001 --since 1h", lambda found: isinstance(found, list)),
    ("evcs config show", lambda found: {"home", "mqtt_port"} <= {x["setting"] for x in found}),
    ("evcs tls init", keys("made", "ca", "names", "ends_at")),
    ("evcs completion fish", keys("shell", "script")),
    ("evcs driver add DORA", done_is("added")),
    ("evcs driver list", lambda found: {"id": "DORA", "tags": []} in found),
    ("evcs driver tag DORA add 04A2 x", lambda found: found["tags"] == ["04A2", "x"]),
    ("evcs driver tag DORA remove 04a2", lambda found: found["tags"] == ["x"]),
    ("evcs driver tag DORA list", lambda found: found == {"id": "DORA", "tags": ["x"]}),
    ("evcs driver remove DORA", done_is("removed")),
    ("evcs backup {files}/one.backup", lambda found: (found["cps"], found["drivers"]) == (3, 2)),
    ("evcs-cp create CP-900 --location Hof --price-eur-kwh 0.5 --max-power-kw 7.4", a_cp),
    ("evcs-cp create CP-900 --if-not-exists", lambda found: found["location"] == "Hof"),
    ("evcs-cp create CP-{901..902} --timeout 30", cps),
    ("evcs-cp create CP-903 --no-wait", a_cp),
    ("evcs pools", lambda found: found == []),
    ("evcs-cp edit CP-901 --hosting pool", lambda found: found["pool"] == 1),
    ("evcs-cp create CP-904 --hosting pool", lambda found: found["state"] == "ACTIVATED"),
    ("evcs pools", lambda found: found[0]["members"] == 2 and found[0]["memory_bytes"] > 2**20),
    ("evcs-cp show CP-904",
     lambda found: {process["group"] for process in found["processes"]} == {"_pool-1"}),
    ("evcs-cp restart CP-904", lambda found: found["state"] == "ACTIVATED"),
    ("evcs-cp kill CP-904 monitor --no-wait", a_cp),
    ("evcs-cp edit CP-901 --hosting process", lambda found: found["pool"] is None),
    ("evcs-cp delete CP-904", done_is("deleted")),
    ("evcs-cp create CP-905 --hosting ocpp --ocpp-id DE*7", lambda found: found["connector"] == 1),
    ("evcs-cp connect CP-905", keys("url", "user", "password")),
    ("evcs-cp delete CP-905", done_is("deleted")),
    ("evcs-cp list", cps),
    ("evcs-cp list --state out_of_order", lambda found: [x["id"] for x in found] == ["CP-003"]),
    ("evcs-cp show CP-900", lambda found: a_cp(found) and "processes" in found),
    ("evcs-cp edit CP-900 --price-eur-kwh 0.6", lambda found: found["price_eur_kwh"] == "0.6"),
    ("evcs-cp stop CP-900", lambda found: found["state"] == "OUT_OF_ORDER"),
    ("evcs-cp stop CP-900", lambda found: found["state"] == "OUT_OF_ORDER"),
    ("evcs-cp resume CP-900", lambda found: found["state"] == "ACTIVATED"),
    ("evcs-cp restart CP-900", lambda found: found["state"] == "ACTIVATED"),
    ("evcs-cp plug CP-900", done_is("plugged")),
    ("evcs-cp unplug CP-900", done_is("unplugged")),
    ("evcs-cp fault CP-900 --reason cable", lambda found: found["reason"] == "fault: cable"),
    ("evcs-cp clear CP-900", lambda found: found["state"] == "ACTIVATED"),
    ("evcs-cp kill CP-900 engine --no-wait", a_cp),
    ("evcs-cp revoke CP-900", lambda found: found["state"] == "DISCONNECTED"),
    ("evcs-cp rekey CP-900", lambda found: found["state"] == "ACTIVATED"),
    ("evcs-cp apply -f {files}/same.toml", lambda found: found["unchanged"] == 1),
    ("evcs-cp apply -f {files}/same.toml --prune --dry-run",
     lambda found: "CP-900" in found["remove"]),
    ("evcs-cp export", lambda found: {"CP-001", "CP-900"} <= {cp["id"] for cp in found["cp"]}),
    ("evcs-cp delete CP-900", done_is("deleted")),
    ("evcs-cp delete CP-{901..903} --yes", lambda found: len(found) == 3),
    ("evcs-driver list --driver ALICE", lambda found: len(found) == 3),
    ("evcs-driver history --driver ALICE", tickets),
    ("evcs sessions", tickets),
    ("evcs sessions --cp CP-001 --driver ALICE --since 2020-01-01", tickets),
]  # fmt: skip


#: One document a line: the keys of each.
STREAMS = {
    "evcs logs central -n 3": {"program", "line"},
    "evcs-cp logs CP-001 engine": {"program", "line"},
    "evcs-driver charge CP-001 --driver ALICE --kwh 0.1": {"event", "session_id"},
    "evcs-driver run {files}/run.txt --driver ALICE --pause 0": {"event", "session_id"},
}


#: On the same fleet: exit codes.
FAILURES = {
    "evcs nosuch": 2,
    "evcs up --timeout 0": 2,
    "evcs up --timeout nan": 2,
    "evcs status --no-such-flag": 2,
    "evcs logs NOSUCH": 4,
    "evcs logs --since soon": 2,
    "evcs watch --cp ../x": 2,
    "evcs audit --since soon": 2,
    "evcs driver add": 2,
    "evcs driver add a/b": 2,
    "evcs driver add ALICE": 5,
    "evcs driver add alice": 5,
    "evcs driver remove NOBODY": 4,
    "evcs driver remove NOBODY --forget": 4,
    "evcs driver add removed-1": 2,
    "evcs sessions --since soon": 2,
    "evcs sessions close NOSUCH": 4,
    f"evcs sessions close {'x' * 129}": 4,
    f"evcs-cp fault CP-001 --reason {'x' * 201}": 2,
    "evcs backup {files}": 5,
    "evcs restore {files}/none": 5,
    "evcs completion csh": 2,
    "evcs crashtest --rounds 0": 2,
    "evcs verify-restart --count 0": 2,
    "evcs crashtest --hosting cloud": 2,
    "evcs-cp create": 2,
    "evcs-cp create ../x": 2,
    "evcs-cp create central": 2,
    "evcs-cp create CP-950 CP-950": 2,
    "evcs-cp create CP-950 --price-eur-kwh nan": 2,
    "evcs-cp create CP-950 --hosting cloud": 2,
    "evcs-cp create CP-950 --hosting ocpp --connector 0": 2,
    "evcs-cp create CP-950 --hosting ocpp --station a/b": 2,
    "evcs-cp create CP-950 --station S": 2,
    "evcs-cp edit CP-001 --hosting ocpp": 5,
    "evcs-cp connect CP-001": 5,
    "evcs-cp connect CP-404": 4,
    "evcs-cp ocpp CP-001 Reset": 5,
    "evcs-cp ocpp CP-404 Reset": 4,
    "evcs driver tag ALICE add": 2,
    "evcs driver tag ALICE list x": 2,
    f"evcs driver tag ALICE add {'x' * 37}": 2,
    "evcs driver tag ALICE remove x": 4,
    "evcs driver tag NOBODY add x": 4,
    "evcs driver tag NOBODY list": 4,
    "evcs-cp create CP-950 --max-power-kw 0": 2,
    "evcs-cp create CP-950 --timeout x": 2,
    "evcs-cp create CP-950 --timeout nan": 2,
    "evcs-cp create cp-001 --if-not-exists": 5,
    "evcs-cp create CP-001": 5,
    "evcs-cp create cp-001": 5,
    "evcs-cp apply": 2,
    "evcs-cp apply -f {files}/bad.toml": 2,
    "evcs-cp apply -f {files}/same.toml --prune": 2,
    f"evcs-cp apply -f {MISSING}": 4,
    "evcs-cp list --state GREEN": 2,
    "evcs-cp show CP-404": 4,
    "evcs-cp show ../x": 2,
    "evcs-cp edit CP-001": 2,
    "evcs-cp edit CP-404 --price-eur-kwh 1": 4,
    "evcs-cp edit CP-001 --price-eur-kwh -1": 2,
    "evcs-cp delete CP-404": 4,
    "evcs-cp delete CP-*": 2,
    "evcs-cp stop": 2,
    "evcs-cp stop CP-001 --all": 2,
    "evcs-cp stop CP-404": 4,
    "evcs-cp resume": 2,
    "evcs-cp resume CP-404": 4,
    "evcs-cp restart CP-404": 4,
    "evcs-cp plug CP-404": 4,
    "evcs-cp unplug CP-404": 4,
    "evcs-cp fault CP-404": 4,
    "evcs-cp clear CP-404": 4,
    "evcs-cp kill CP-404 engine": 4,
    "evcs-cp kill CP-001 nobody": 2,
    "evcs-cp revoke CP-404": 4,
    "evcs-cp rekey CP-404": 4,
    "evcs-cp logs CP-404": 4,
    "evcs-cp logs CP-001 nobody": 2,
    "evcs-driver charge CP-404 --driver ALICE": 4,
    "evcs-driver charge CP-003 --driver ALICE": 5,
    "evcs-driver charge CP-001": 2,
    "evcs-driver charge CP-001 --driver NOBODY": 4,
    "evcs-driver charge CP-001 --driver ALICE --kwh -1": 2,
    "evcs-driver charge ../x --driver ALICE": 2,
    "evcs-driver stop --driver ALICE": 5,
    "evcs-driver list --driver NOBODY": 4,
    "evcs-driver history --driver NOBODY": 4,
    "evcs-driver run {files}/bad.txt --driver ALICE": 2,
    f"evcs-driver run {MISSING} --driver ALICE": 2,
    "evcs-driver run /dev/zero --driver ALICE": 2,
}
