"""What services need of the world outside: Protocols, and the events that a bus hands over.

Adapters implement these, tests have named fakes that pass the same contract tests, and
bootstrap puts either in. Errors are those of core.errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from evcs.core.errors import EvcsError
from evcs.core.messages import NOTHING, Cleared, Message

if TYPE_CHECKING:  # a CP process needs none of them
    from evcs.core.audit import AuditEntry
    from evcs.core.health import EngineAnswer, ProcessFigures
    from evcs.core.readings import Reading
    from evcs.core.session import AnsweredStart, Session
    from evcs.core.topics import Publication, Subscription


class Connected(NamedTuple):
    """Connected and subscribed: now tell your state."""


class Disconnected(NamedTuple):
    """The connection is gone, or could not be had. `refused`: by the broker, as not allowed."""

    reason: str
    refused: bool


class Received(NamedTuple):
    """A message from the bus. `retained`: it was kept by the broker, not said just now."""

    message: Message | Cleared
    retained: bool


class Stray(NamedTuple):
    """The broker keeps what nobody is to have kept there; it is not read."""

    topic: str


class Bus(Protocol):
    """A connection to the broker that comes back by itself (adapters.mqtt)."""

    @property
    def connected(self) -> bool:
        """Whether what is published now goes out."""

    @property
    def dropped(self) -> int:
        """Messages that could not be read, since the beginning."""

    def publish(self, what: Message | Publication) -> bool:
        """Hand over a message, with the present time, or a publication.

        False where there is no connection, or where the broker would drop us for its size.
        """

    def flush(self) -> None:
        """Write what was handed over, which else is done at the end of the turn."""

    def subscribe(self, more: Sequence[Subscription]) -> None:
        """Listen to more from now on, over connections that come too."""

    def unsubscribe(self, these: Sequence[Subscription]) -> None:
        """Listen to these no more."""


class Clock(Protocol):
    """Both clocks (adapters.clock)."""

    def monotonic(self) -> float:
        """Seconds, for durations."""

    def timestamp(self) -> str:
        """RFC 3339 UTC to the millisecond, for what people read."""


class Log(Protocol):
    """A log in somebody's name (adapters.log)."""

    def info(self, text: str, /, *args: object) -> None:
        """What happened."""

    def warning(self, text: str, /, *args: object) -> None:
        """What should not have."""

    def error(self, text: str, /, *args: object) -> None:
        """What needs a hand."""

    def exception(self, text: str, /, *args: object) -> None:
        """The same, with the exception that is being handled."""


class NeverWritten(EvcsError):
    """The ledger takes this as little the next time: what is settled is never changed."""


class Ledger(Protocol):
    """Sessions and the audit, written by Central alone (adapters.ledger). May raise EvcsError."""

    def look(self) -> None:
        """See to it that the file is still there."""

    def open_sessions(self) -> list[Session]:
        """All sessions that are not settled."""

    def session(self, session_id: str) -> Session | None:
        """One session, settled ones too."""

    def answered(self, request_id: str) -> AnsweredStart | None:
        """What a charger's request was answered; its id is known for ever."""

    def of_driver(self, driver: str, limit: int, after: str | None = None) -> list[Session]:
        """A driver's sessions, the latest first; those before the session `after`, if given."""

    def noted(self) -> dict[str, str]:
        """What is noted beside the rows, by key; each is written and read by one class alone.

        Auditor: `broker_log`, `refused_logins`, `spool/<service>`. PowerNotes: `power/<CP>`.
        StandingStates: `since/<CP>`. Retention: `keep/believed`.
        """

    def commit(
        self, sessions: Iterable[Session], refused: Iterable[str], audit: Iterable[AuditEntry],
        noted: Mapping[str, str | None] = NOTHING, forgotten: Mapping[str, str] = NOTHING,
        answered: Mapping[str, AnsweredStart] = NOTHING, readings: Iterable[Reading] = (),
    ) -> None:  # fmt: skip
        """One transaction; `refused` are requests that their CP turned down.

        `forgotten`: driver -> the pseudonym that takes its place in all that is written.
        `answered`: what chargers' requests were answered, by their ids.
        """

    def knows(self, driver: str) -> bool:
        """Whether a session or an entry of the audit names the driver."""

    def newest(self) -> str | None:
        """The latest time that anything in here tells of."""

    def drop(self, sessions_from: str | None, audit_from: str | None, at: str, limit: int) -> bool:
        """Drop what is older, at most `limit` of each; whether there may be more."""

    def drop_readings(self, before: int, limit: int) -> bool:
        """Drop readings of days that ended before (seconds of the epoch); whether there is more."""


class JournalStore(Protocol):
    """What an Engine holds, its last record (adapters.journal, adapters.pool_journal)."""

    def last(self, is_record: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """The last record, or None."""

    def append(self, record: dict[str, Any], sync: bool) -> None:
        """Keep a record. Raises OSError (disk full).

        With `sync` it lasts through a power cut, else through a kill, and of a reading a second
        those of the last ten seconds may be lost with the power. What is told in the same turn
        of the loop is told after it.
        """

    def close(self) -> None:
        """Append no more."""


class HealthProbe(Protocol):
    """A process of Engines, as another one sees it (adapters.engine_health)."""

    def ask(self, within_s: float) -> Mapping[str, EngineAnswer] | None:
        """What each Engine there says of itself, by CP; None where no answer came in time."""

    def figures(self, within_s: float) -> ProcessFigures | None:
        """What the process says of itself; None where no answer came in time."""

    def end_one(self, cp: str) -> bool:
        """Have that CP's role there end as a crash would; it comes back. False: no answer came."""

    def end(self) -> int | None:
        """Kill it, since a hung process can't be asked to end; its pid, if it was there."""


class AuditSpool(Protocol):
    """What a service has for the audit, until Central takes it up (adapters.spool)."""

    def tell(self, who: str, what: str, outcome: str, detail: str) -> None:
        """Have something audited that stands for itself."""

    def prepare(self, entries: Iterable[AuditEntry], number: int) -> str:
        """Have it on disk before the commit of that number; its name. Raises OSError."""

    def made(self, prepared: str) -> None:
        """The commit was made: tell."""

    def drop(self, prepared: str) -> None:
        """The commit was not made: nothing of it is told."""

    def recover(self, number: int) -> None:
        """At the start: tell what the last commit, of that number, has made; drop the rest."""
