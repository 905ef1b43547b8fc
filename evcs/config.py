"""Settings: a flag, then the environment, then conf/evcs.toml, then the default.

The only reader of the environment.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from evcs import config_file
from evcs.core.ids import RESERVED
from evcs.core.setting_values import ALWAYS, CHECKS, FORK, REMOTE
from evcs.home import Home, check_home

INSTALL_ROOT = Path(__file__).resolve().parent.parent

LOOPBACK = "127.0.0.1"
_WILDCARDS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104


def _address(family: socket.AddressFamily, beyond: str, otherwise: str) -> str:
    """This machine's, by its route to what is beyond; a datagram socket sends nothing by that."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((beyond, 9))
        except OSError:
            return otherwise
        return str(probe.getsockname()[0])


#: Who listens on all addresses is dialled from elsewhere by this one. Beyond: RFC 5737, RFC 3849.
_ON_NETWORK = {
    "0.0.0.0": partial(_address, socket.AF_INET, "192.0.2.1", LOOPBACK),  # noqa: S104
    "::": partial(_address, socket.AF_INET6, "2001:db8::1", "::1"),
}


class Endpoint(NamedTuple):
    """Where a server of ours is reached; with TLS, `ca` is the file that verifies it."""

    host: str
    port: int
    ca: Path | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.ca else 'http'}://{host}:{self.port}"


class Settings(NamedTuple):
    """Everything that can be set. Ports are TCP, times seconds; to keep 0 days is for ever.

    The broker always listens on 127.0.0.1 and `mqtt_port`, for people and tools here, and
    with `mqtt_tls` ALWAYS encrypts that too. What listens on any other address serves TLS alone.
    `centre`: on a host that has joined another machine, that one's address; the ports are its own.
    """

    home: Home
    mqtt_port: int = 1883
    web_port: int = 8081
    registry_port: int = 8082
    time_scale: float = 1.0
    host: str = "main"
    centre: str = ""
    mqtt_listen: str = LOOPBACK
    mqtt_tls_port: int = 8883
    mqtt_tls: str = REMOTE
    http_listen: str = LOOPBACK
    http_tls: str = REMOTE
    http_name: str = ""
    keep_sessions_days: int = 0
    keep_audit_days: int = 0
    keep_readings_days: int = 7
    cp_start: str = FORK
    ocpp_port: int = 8887
    ocpp_listen: str = LOOPBACK
    ocpp_plain: bool = False
    ocpp_keep_interrupted_h: int = 24
    hosts_keep_interrupted_s: int = 3_600

    @property
    def is_joined(self) -> bool:
        """Whether broker, Registry, Central and web are another machine's."""
        return bool(self.centre)

    @property
    def services(self) -> frozenset[str]:
        """The programs that run here beside the CPs."""
        return frozenset({"cp-manager"}) if self.is_joined else RESERVED

    @property
    def broker(self) -> Endpoint | None:
        """The broker, where it is another machine's."""
        return Endpoint(self.centre, self.mqtt_tls_port, self.home.ca) if self.is_joined else None

    @property
    def mqtt_is_open(self) -> bool:
        """Whether the broker is to be reached from elsewhere, on `mqtt_tls_port`."""
        return self.mqtt_listen != LOOPBACK

    @property
    def http_is_open(self) -> bool:
        """Whether web and Registry are to be reached from elsewhere."""
        return self.http_listen != LOOPBACK

    @property
    def needs_certificate(self) -> bool:
        """Whether anything serves TLS."""
        is_open = self.mqtt_is_open or self.http_is_open or self.ocpp_tls
        return is_open or ALWAYS in (self.mqtt_tls, self.http_tls)

    @property
    def address(self) -> str:
        """Where other machines reach the broker."""
        found = _ON_NETWORK.get(self.mqtt_listen)
        return found() if found else self.mqtt_listen

    @property
    def own_address(self) -> str:
        """This machine's, as the others of the system see it; "" where none leads to the centre."""
        if not self.is_joined:
            return self.address
        family = socket.AF_INET6 if ":" in self.centre else socket.AF_INET
        return _address(family, self.centre, "")

    @property
    def ocpp_tls(self) -> bool:
        """Whether real chargers dial in over TLS: from elsewhere, unless that is turned off."""
        return self.ocpp_listen != LOOPBACK and not self.ocpp_plain

    @property
    def ocpp_name(self) -> str:
        """As what chargers know this machine."""
        if self.ocpp_listen == LOOPBACK:
            return LOOPBACK
        found = _ON_NETWORK.get(self.ocpp_listen)
        return self.http_name or (found() if found else self.ocpp_listen)

    @property
    def ocpp_url(self) -> str:
        """Where a charger dials in, without its identity."""
        url = Endpoint(self.ocpp_name, self.ocpp_port, self.home.ca if self.ocpp_tls else None).url
        return url.replace("http", "ws", 1)

    @property
    def web(self) -> Endpoint:
        """The web process, from here."""
        return self._http(self.web_port)

    @property
    def registry(self) -> Endpoint:
        """The Registry, from here."""
        if self.is_joined:
            return Endpoint(self.centre, self.registry_port, self.home.ca)
        return self._http(self.registry_port)

    @property
    def page(self) -> Endpoint:
        """The web process as people reach it."""
        return self.web._replace(host=self.http_name or self.web.host)

    def _http(self, port: int) -> Endpoint:
        tls = self.http_is_open or self.http_tls == ALWAYS
        host = _WILDCARDS.get(self.http_listen, self.http_listen)
        return Endpoint(host, port, self.home.ca if tls else None)


#: What a setting is called in the environment. Whose host this is and where its centre, the file
#: alone says.
_ENVIRONMENT = {
    name: f"EVCS_{name.upper()}"
    for name in Settings._fields
    if name not in ("home", "host", "centre")
}
_NAMES = tuple(name for name in Settings._fields if name != "home")
TYPED = "EVCS_TYPED"


def crash_at() -> str:
    """The step at which this process is to end itself, for tests; see runtime.crash_points."""
    return os.environ.get("EVCS_CRASH_AT", "")


@cache
def notify_socket() -> str:
    """Where systemd hears that its service lives; "" where it has not started this.

    It is taken out of the environment: no child is to speak for us, as mosquitto would.
    """
    return os.environ.pop("NOTIFY_SOCKET", "")


def typed_folder() -> str:
    """What has to be typed before the name of a command, such as bin/; see bin/launcher.sh."""
    return os.environ.get(TYPED, "")


def under_supervisord() -> bool:
    """Whether supervisord started this process."""
    return "SUPERVISOR_ENABLED" in os.environ


def load(environ: Mapping[str, str] | None = None, **flags: object) -> Settings:
    """The settings of this call. Raises BadValue, naming the setting."""
    environ = os.environ if environ is None else environ
    home = Home(
        check_home(Path(str(flags.get("home") or environ.get("EVCS_HOME") or INSTALL_ROOT)))
    )
    values: dict[str, Any] = config_file.read(home.path / "conf" / "evcs.toml", _NAMES)
    for name, variable in _ENVIRONMENT.items():
        if environ.get(variable):
            values[name] = environ[variable]
    values.update({name: value for name, value in flags.items() if value is not None})
    values = {**_checked(values), "home": home}
    return Settings(**{name: values[name] for name in Settings._fields if name in values})


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks = {name: CHECKS.get(name, lambda _, value: value) for name in values}
    return {name: checks[name](config_file.shown(name), value) for name, value in values.items()}


def check_file(path: Path) -> None:
    """Whether a file may be a home's conf/evcs.toml; none may be missing. Raises BadValue."""
    _checked(config_file.read(path, _NAMES))


def to_environment(settings: Settings) -> dict[str, str]:
    """What has another process load the same settings, whatever conf/evcs.toml says by then."""
    found = {variable: f"{getattr(settings, name)}" for name, variable in _ENVIRONMENT.items()}
    return {**found, "EVCS_HOME": str(settings.home.path)}


def origins() -> dict[str, str]:
    """Setting -> where its value comes from, of those that are not at their default."""
    home = check_home(Path(os.environ.get("EVCS_HOME") or INSTALL_ROOT))
    path = home / "conf" / "evcs.toml"
    found = dict.fromkeys(config_file.read(path, _NAMES), str(path))
    for name, variable in {**_ENVIRONMENT, "home": "EVCS_HOME"}.items():
        if os.environ.get(variable):
            found[name] = f"environment: {variable}"
    return found
