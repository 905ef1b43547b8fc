"""What a version of OCPP says in its own words, to a charger and for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from evcs.core.ocpp import transactions as t
from evcs.core.ocpp.charging_profiles import Allowance

Answer = dict[str, Any]
Meanings = Mapping[str, Callable[[Any, Answer], Awaitable[Answer]]]


class ChargerDialect(ABC):
    """A charger, as its version has it. Raises Refused, NoAnswer, NotSendable."""

    #: A charger's CALLs that have a meaning here.
    meanings: ClassVar[Meanings]
    #: Those that are only acknowledged, with what.
    plain: ClassVar[Mapping[str, Answer]]
    #: What it is told without being asked for by hand, and what for.
    sends: ClassVar[Mapping[str, str]]

    @classmethod
    def serves(cls, action: str) -> bool:
        """Whether a charger may say that."""
        return action in cls.meanings or action in cls.plain

    @abstractmethod
    async def start(self, connector: int, session_id: str) -> str:
        """Have it begin a charge; its word."""

    @abstractmethod
    async def stop(self, one: t.Transaction) -> str:
        """Have it end one; its word."""

    @abstractmethod
    async def set_available(self, connector: int, operative: bool) -> str:
        """Have a connector serve, or not; its word."""

    @abstractmethod
    async def set_limit(self, allowance: Allowance) -> str:
        """Have it take no more; its word."""

    @abstractmethod
    async def clear_limits(self, connector: int) -> str:
        """Have it take what it can; its word."""

    @abstractmethod
    async def ask_rate_units(self) -> str:
        """In what it takes limits, "" where it does not say."""

    @abstractmethod
    async def ask_status(self, connector: int) -> None:
        """Have it tell the state of a connector."""

    @abstractmethod
    async def ask_connection_timeout(self) -> float | None:
        """How long it waits for a car."""

    @abstractmethod
    async def set_key(self, key: str) -> str:
        """Have it dial in with another password from now on; its word."""

    @abstractmethod
    def order(self, name: str, connector: int, given: Mapping[str, Any]) -> tuple[str, Answer]:
        """The action, with its fields, of an order of the operator's. Raises BadValue.

        reset (hard), unlock, trigger (message), get (keys), set (key, value).
        """
