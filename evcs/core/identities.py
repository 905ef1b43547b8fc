"""Who may be on the bus: the names of identities."""

from __future__ import annotations

from collections.abc import Iterable

from evcs.core.messages import DesiredCp
from evcs.core.placement import MAIN
from evcs.core.sections import ROLES

SERVICES = (
    "registry", "central", "web", f"manager/{MAIN}", f"gateway/{MAIN}", "operator", "inspector",
)  # fmt: skip


def of_cp(cp: str) -> tuple[str, ...]:
    """Those of a CP, one a process."""
    return tuple(f"cp/{cp}/{role}" for role in ROLES)


def of_driver(driver: str) -> str:
    """That of a driver."""
    return f"driver/{driver}"


def of_station(station: str) -> str:
    """A station's, which a charger gives to its gateway: it is nobody on the bus."""
    return f"station/{station}"


def of_next(station: str) -> str:
    """A station's next one, until its charger has taken that: both are good. No id has a dot."""
    return f"station/{station}.next"


def of_backend(cp: str) -> str:
    """What a CP dials its back end with: it is nobody on the bus, and goes with the CP's own."""
    return f"cp/{cp}/backend"


def of_backend_ca(cp: str) -> str:
    """The CAs of which the certificate of its back end has to be."""
    return f"cp/{cp}/backend.ca"


def of_backend_certificate(cp: str) -> str:
    """Its own key and certificate, which its back end asks for."""
    return f"cp/{cp}/backend.pem"


def of_back_end(cp: str) -> tuple[str, ...]:
    """All that a CP has for its back end."""
    return of_backend(cp), of_backend_ca(cp), of_backend_certificate(cp)


def of_meter(circuit: str) -> str:
    """That of a circuit's meter."""
    return f"meter/{circuit}"


def of_host(host: str) -> str:
    """That of a host's CP Manager."""
    return f"manager/{host}"


def of_all(
    cps: Iterable[DesiredCp], drivers: Iterable[str], circuits: Iterable[str] = (),
    hosts: Iterable[str] = (),
) -> list[str]:  # fmt: skip
    """Those of services, drivers, circuits' meters, hosts that have joined, CPs not revoked."""
    names = [*SERVICES, *map(of_driver, drivers), *map(of_meter, circuits)]
    names += map(of_host, hosts)
    return names + [who for cp in cps if not cp.revoked for who in of_cp(cp.id)]
