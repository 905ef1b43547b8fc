"""What each circuit carries, as it goes out: a change each second at most, figures each five."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from evcs.core import messages as m
from evcs.core import topics
from evcs.core.load_management import Site
from evcs.core.session import Session
from evcs.services.central.outbox import Outbox

CHANGES_EVERY_S = 1.0
FIGURES_EVERY_S = 5.0


class CircuitStates:
    """Publishes a circuit's state where it is another."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._published: dict[str, tuple[m.CircuitState, float]] = {}
        self._look_at = 0.0

    def connected(self) -> None:
        """All is published again."""
        self._published.clear()
        self._look_at = 0.0

    def clear(self, name: str) -> None:
        """Take the state of a circuit that is gone away."""
        self._published.pop(name, None)
        self._outbox.publish(topics.clear(m.CircuitState, name=name))

    def look(
        self, site: Site, others: Mapping[str, int], sessions: Iterable[tuple[str, Session]],
        now: float,
    ) -> None:  # fmt: skip
        """Publish what is due; `sessions`: with the circuits in which they are."""
        if now < self._look_at:
            return
        self._look_at = now + CHANGES_EVERY_S
        for state in _states(site, others, sessions):
            before, at = self._published.get(state.name, (None, -FIGURES_EVERY_S))
            every = CHANGES_EVERY_S if _changed(before, state) else FIGURES_EVERY_S
            if state != before and now - at >= every:
                self._published[state.name] = state, now
                self._outbox.publish(state)


def _changed(before: m.CircuitState | None, now: m.CircuitState) -> bool:
    """Whether more than what flows is another."""
    if before is None:
        return True
    return before._replace(power_w=now.power_w, other_load_w=now.other_load_w) != now


def _states(
    site: Site, others: Mapping[str, int], sessions: Iterable[tuple[str, Session]]
) -> Iterable[m.CircuitState]:
    found = {name: [0, 0, 0, 0, 0] for name in site.circuits}
    for name, power_w in others.items():
        for above in site.path(name):
            found[above][0] += power_w
    for circuit, session in sessions:
        figures = session.power_w, session.limit_w or 0, 1, session.waiting_since is not None
        for above in site.path(circuit):
            for place, figure in enumerate(figures, 1):
                found[above][place] += figure
    for name, one in site.circuits.items():
        yield m.CircuitState(name, one.max_power_w, *found[name])
