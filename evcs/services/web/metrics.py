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
