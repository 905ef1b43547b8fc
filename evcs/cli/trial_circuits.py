"""The circuits of a trial: a site with a house, and a garage in it that half of the CPs share."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from evcs.adapters.registry_http import RegistryClient
from evcs.cli.bus_probe import BusProbe
from evcs.config import Settings
from evcs.core import messages as m
from evcs.core.identities import of_meter
from evcs.core.limits import MIN_PHASE_W

SITE, GARAGE = "SITE", "GARAGE"
NAMES = (SITE, GARAGE)
#: So much for each CP below, and the most of the house: not all can have all they want.
EACH_W, HOUSE_W = 8_000, 5_000
LEAST_W = 3 * MIN_PHASE_W
METERED_EVERY_S = 1.0


class TrialCircuits:
    """Both circuits, and the house whose meter says each second what it takes."""

    def __init__(self, settings: Settings, registry: RegistryClient, cps: Sequence[str]) -> None:
        self._settings, self._registry = settings, registry
        half = (len(cps) + 1) // 2
        self.of_cp = {cp: SITE if number >= half else GARAGE for number, cp in enumerate(cps)}
        self._full_w = {SITE: EACH_W * len(cps) + HOUSE_W, GARAGE: EACH_W * half}
        self._house_w = HOUSE_W
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._meter, daemon=True)

    def make(self) -> None:
        """Have them made, before the CPs."""
        self._registry.add_circuit(
            {"name": SITE, "max_power_w": self._full_w[SITE], "other_load_w": HOUSE_W}
        )
        self._registry.add_circuit(
            {"name": GARAGE, "max_power_w": self._full_w[GARAGE], "parent": SITE}
        )

    def begin(self) -> None:
        """The meter speaks."""
        self._thread.start()

    def edit(self, name: str, share: float) -> int:
        """Let it carry that share of what it did at first, for one CP at least, or nothing; W."""
        least = LEAST_W + (HOUSE_W if name == SITE else 0)
        power_w = max(int(self._full_w[name] * share), least) if share else 0
        self._registry.edit_circuit(name, {"max_power_w": power_w})
        return power_w

    def house(self, share: float) -> int:
        """Let the house take that share of its most; W."""
        self._house_w = int(HOUSE_W * share)
        return self._house_w

    def full(self) -> None:
        """All as at first, without the house: so all that wait come to their end."""
        for name in NAMES:
            self.edit(name, 1.0)
        self.house(0.0)

    def close(self) -> None:
        """The meter is silent."""
        self._over.set()
        self._thread.join()

    def _meter(self) -> None:
        with BusProbe(self._settings, [], of_meter(SITE)) as bus:
            while not self._over.wait(METERED_EVERY_S):
                bus.publish(m.MeterPower(SITE, self._house_w))
