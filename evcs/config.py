"""Settings: a flag, then the environment, then conf/evcs.toml, then the default.

The only reader of the environment. CP processes import it, so tomllib is imported only
where there is a file to read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from evcs.core.errors import BadValue
from evcs.core.ids import check_id

INSTALL_ROOT = Path(__file__).resolve().parent.parent

# A unix socket's path ends at 107 bytes; the longest below a home is supervisord's.
_LONGEST_BELOW_HOME = len("/conf/../run/supervisor.sock.123456789")
MAX_HOME = 107 - _LONGEST_BELOW_HOME

LOOPBACK = frozenset({"127.0.0.1", "::1"})


class Home(NamedTuple):
    """The folder that holds everything a running system reads or writes."""

    path: Path

    @property
    def supervisord_conf(self) -> Path:
        return self.path / "conf" / "supervisord.conf"

    @property
    def sections(self) -> Path:
        return self.path / "conf" / "supervisord.d"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def registry_json(self) -> Path:
        return self.data / "registry.json"

    @property
    def ledger_db(self) -> Path:
        return self.data / "ledger.db"

    @property
    def passwords(self) -> Path:
        return self.data / "mosquitto.passwd"

    @property
    def operator_token(self) -> Path:
        return self.data / "secrets" / "operator.token"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def supervisord_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    def secret(self, identity: str) -> Path:
        """The file that holds the password of an identity, and nothing else."""
        return self.data / "secrets" / identity

    def journal(self, cp: str) -> Path:
        """An Engine's journal."""
        return self.data / "journals" / f"{cp}.jsonl"

    def engine_socket(self, cp: str) -> Path:
        """Where an Engine answers its Monitor, relative to the home, for its length."""
        return Path("run") / "cp" / f"{cp}.sock"

    def lock(self, role: str) -> Path:
        """Held by the one process that plays the role."""
        return self.run / "lock" / f"{role}.lock"


class Settings(NamedTuple):
    """Everything that can be set. Ports are TCP, times seconds; to keep 0 days is for ever."""

    home: Home
    mqtt_port: int = 1883
    web_port: int = 8081
    registry_port: int = 8082
    time_scale: float = 1.0
    host: str = "main"
    keep_sessions_days: int = 0
    keep_audit_days: int = 0


_ENVIRONMENT = {
    "mqtt_port": "EVCS_MQTT_PORT",
    "web_port": "EVCS_WEB_PORT",
    "registry_port": "EVCS_REGISTRY_PORT",
    "time_scale": "EVCS_TIME_SCALE",
    "keep_sessions_days": "EVCS_KEEP_SESSIONS_DAYS",
    "keep_audit_days": "EVCS_KEEP_AUDIT_DAYS",
}


def _number(name: str, value: object, kind: type, lowest: float, highest: float) -> Any:
    try:
        number = kind(str(value))
    except ValueError:
        number = None
    if number is None or not lowest <= number <= highest:
        raise BadValue(
            f"setting {name}: {value!a} is not allowed",
            f"allowed: a number from {lowest:g} to {highest:g}",
        )
    return number


def crash_at() -> str:
    """The step at which this process is to end itself, for tests; see adapters.crash_points."""
    return os.environ.get("EVCS_CRASH_AT", "")


def under_supervisord() -> bool:
    """Whether supervisord started this process."""
    return "SUPERVISOR_ENABLED" in os.environ


def check_home(path: Path) -> Path:
    """A home as an absolute path that supervisord and unix sockets can live with."""
    path = path.expanduser().absolute()
    text = str(path)
    bad = sorted(set(text) & set('%;"\n\r\\'))
    if bad:
        raise BadValue(f"home {text!r} holds {bad[0]!r}", "choose a plain folder as EVCS_HOME")
    if len(os.fsencode(text)) > MAX_HOME:
        raise BadValue(
            f"home {text} is too long for unix sockets",
            f"choose an EVCS_HOME of at most {MAX_HOME} bytes",
        )
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    import tomllib

    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadValue(f"{path}: {error}", "correct the file or remove it") from None
    unknown = sorted(set(found) - set(Settings._fields) - {"mqtt", "http"})
    if unknown:
        known = ", ".join(name for name in Settings._fields if name != "home")
        raise BadValue(f"{path}: unknown setting {unknown[0]!r}", f"known: {known}")
    for name in ("mqtt", "http"):
        if found.get(name):
            raise BadValue(
                f"{path}: [{name}] can't be set: listeners bind 127.0.0.1, as there is no TLS yet",
                f"remove [{name}]",
            )
    return found


def load(environ: Mapping[str, str] | None = None, **flags: object) -> Settings:
    """The settings of this call. Raises BadValue, naming the setting."""
    environ = os.environ if environ is None else environ
    home = Home(
        check_home(Path(str(flags.get("home") or environ.get("EVCS_HOME") or INSTALL_ROOT)))
    )
    values: dict[str, Any] = _read_toml(home.path / "conf" / "evcs.toml")
    for name, variable in _ENVIRONMENT.items():
        if environ.get(variable):
            values[name] = environ[variable]
    values.update({name: value for name, value in flags.items() if value is not None})
    values["home"] = home
    for name in ("mqtt_port", "web_port", "registry_port"):
        if name in values:
            values[name] = _number(name, values[name], int, 1, 65535)
    for name in ("keep_sessions_days", "keep_audit_days"):
        if name in values:
            values[name] = _number(name, values[name], int, 0, 36_500)
    if "time_scale" in values:
        values["time_scale"] = _number("time_scale", values["time_scale"], float, 0.001, 100_000)
    if "host" in values:
        check_id("host", values["host"])
    return Settings(**{name: values[name] for name in Settings._fields if name in values})


def origins(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Setting -> where its value comes from, of those that are not at their default."""
    environ = os.environ if environ is None else environ
    home = check_home(Path(environ.get("EVCS_HOME") or INSTALL_ROOT))
    path = home / "conf" / "evcs.toml"
    found = dict.fromkeys(_read_toml(path), str(path))
    for name, variable in {**_ENVIRONMENT, "home": "EVCS_HOME"}.items():
        if environ.get(variable):
            found[name] = f"environment: {variable}"
    return found
