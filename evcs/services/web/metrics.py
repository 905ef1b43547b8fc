"""Prometheus metrics of the fleet and of the web process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bottle import Bottle, HTTPResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from evcs.core.charge_point import State
from evcs.services.turns import Kept
from evcs.services.web.deps import Deps
from evcs.services.web.service import Web

#: Of a circuit's state: the metric, and what it says.
CIRCUIT = {
    "max_power_w": ("max_watts", "What a circuit carries"),
    "limit_w": ("limit_watts", "What its CPs may take"),
    "power_w": ("power_watts", "What its CPs take"),
    "other_load_w": ("other_load_watts", "What houses behind it take"),
    "sessions": ("sessions", "Sessions on it"),
    "waiting": ("waiting", "Sessions that wait for power"),
}


def add_routes(app: Bottle, deps: Deps) -> None:
    """`/metrics`."""
    registry = CollectorRegistry()
    registry.register(FleetCollector(deps.web))
    ProcessCollector(registry=registry)
    written = Kept(lambda: generate_latest(registry))

    @app.get("/metrics")
    def metrics() -> HTTPResponse:
        return HTTPResponse(written(), 200, {"Content-Type": CONTENT_TYPE_LATEST})


class FleetCollector(Collector):
    """Reads the fleet at each scrape; nothing is counted twice."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def collect(self) -> Iterable[Metric]:
        """The families."""
        yield from self._fleet()
        yield from self._circuits()
        yield from self._own()

    def _fleet(self) -> Iterable[Metric]:
        fleet = self._web.fleet
        rows = [row for cp in fleet.ids() if (row := fleet.row(cp))]
        count = Counter(row["state"] for row in rows)
        states = GaugeMetricFamily("evcs_cps", "Charging points by state", labels=["state"])
        for state in State:
            states.add_metric([state], count[state])
        yield states
        sessions = [row["session"] for row in rows if row["session"]]
        yield GaugeMetricFamily("evcs_sessions", "Sessions under way", value=len(sessions))
        power = sum(session["power_w"] for session in sessions)
        yield GaugeMetricFamily("evcs_power_watts", "Power being supplied", value=power)
        by_cp = GaugeMetricFamily("evcs_cp_power_watts", "Power by CP", labels=["cp"])
        for row in rows:
            if row["session"]:
                by_cp.add_metric([row["id"]], row["session"]["power_w"])
        yield by_cp

    def _circuits(self) -> Iterable[Metric]:
        """By circuit what Central says of it; what is only wanted has no figures yet."""
        circuits = self._web.fleet.circuits
        rows = [row for name in circuits.names() if (row := circuits.row(name)) and row["state"]]
        for field, (name, words) in CIRCUIT.items():
            family = GaugeMetricFamily(f"evcs_circuit_{name}", words, labels=["circuit"])
            for row in rows:
                family.add_metric([row["name"]], row["state"][field])
            yield family

    def _own(self) -> Iterable[Metric]:
        web = self._web
        up = GaugeMetricFamily("evcs_service_up", "Whether it is there", labels=["service"])
        for name, presence in web.fleet.services.items():
            up.add_metric([name], presence.up)
        yield up
        yield GaugeMetricFamily("evcs_web_streams", "Open event streams", value=web.feed.streams)
        yield CounterMetricFamily("evcs_bus_messages", "Messages read", value=web.messages)
        dropped = CounterMetricFamily(
            "evcs_bus_unreadable", "Messages that could not be read", labels=["reader"]
        )
        dropped.add_metric(["central"], web.unreadable_to_central)
        dropped.add_metric(["web"], web.bus.dropped)
        yield dropped
