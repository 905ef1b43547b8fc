"""What can be set of an emulated station, by kinds: keys in OCPP 1.6, variables in 2.0.1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

MEASURANDS = (
    "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage",
    "Power.Offered",
)  # fmt: skip
MOST_S = 86_400
Read = Callable[[str], str | None]


class Key(NamedTuple):
    """One key: its value in a new station, and how a value is read (None: it is none).

    `read` is None where it may only be read.
    """

    default: str
    read: Read | None = None


class Configuration:
    """Those of one station. `changed`: what is otherwise than in a new one, by `table`'s names.

    They are asked for by 1.6's names; `names`: what the version calls them, where it is otherwise.
    """

    def __init__(
        self, changed: Mapping[str, str], table: Mapping[str, Key], names: Mapping[str, str]
    ) -> None:
        self._changed, self._table, self._names = changed, table, names

    def name(self, name: str) -> str:
        """What the version calls it."""
        return self._names.get(name, name)

    def text(self, name: str) -> str:
        """A value."""
        name = self.name(name)
        return self._changed.get(name, self._table[name].default)

    def number(self, name: str) -> int:
        """A number's."""
        return int(self.text(name))

    def is_set(self, name: str) -> bool:
        """A truth's."""
        return self.text(name) == "true"

    def listed(self, name: str) -> list[str]:
        """A list's."""
        return [part for part in self.text(name).split(",") if part]


def any_text(value: str) -> str | None:
    """Any text of no more than 500 characters."""
    return value if len(value) <= 500 else None


def truth(value: str) -> str | None:
    """`true` or `false`."""
    return value.lower() if value.lower() in ("true", "false") else None


def number(most: int, least: int = 0) -> Read:
    """A whole number."""

    def read(value: str) -> str | None:
        if not value.isascii() or not value.isdecimal() or len(value) > 9:
            return None
        return str(int(value)) if least <= int(value) <= most else None

    return read


def measurands(value: str) -> str | None:
    """Measurands that it has, each once."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    if len(set(names)) != len(names) or not set(names) <= set(MEASURANDS):
        return None
    return ",".join(names)


seconds = number(MOST_S)
