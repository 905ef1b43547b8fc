"""`evcs verify-restart`: N CPs up, everything killed at once, and how all of them come back."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from evcs.adapters import capacity, processes
from evcs.adapters.ledger_reader import LedgerReader
from evcs.cli import supervision
from evcs.cli.bus_probe import BusProbe, wait_for_broker
from evcs.cli.common import CommandContext, table
from evcs.cli.temporary_system import begin, temporary_system
from evcs.core import charge_point as cp_states
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BadValue, EvcsError, TimedOut, Unreachable
from evcs.core.fleet_size import FleetSize
from evcs.core.identities import of_cp
from evcs.core.placement import PROCESS
from evcs.home import Home

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from evcs.cli.trial_back_end import ChargeBalance, TrialBackEnd

BACK_WITHIN_S = 300.0
SETTLED_WITHIN_S = 60.0
Identity = tuple[Any, ...]
GREEN = frozenset({cp_states.State.ACTIVATED, cp_states.State.SUPPLYING})


class Back(NamedTuple):
    """What came back: CPs that are as before, seconds to green, roles that two play."""

    there: int
    times: list[float]
    doubles: int


def run(ctx: CommandContext, count: int, hosting: str, backend: bool = False) -> None:
    """The whole trial in a home of its own; exits 1 where a CP is missing or doubled.

    `backend`: all are chargers of one that the command is itself, and charge meanwhile.
    """
    with temporary_system(1.0) as settings, _back_end(count, backend) as back_end:
        own = CommandContext(settings, ctx.out)
        fleet = FleetSize.of([hosting] * count)
        capacity.check_memory(fleet)
        begin(own, fleet)
        ctx.out.say(f"creating {count} CPs in {settings.home.path}")
        began = time.monotonic()
        names = fill(own, count, hosting, None if back_end is None else back_end.url)
        created_s = time.monotonic() - began
        if back_end is not None:
            back_end.all_charge(names, BACK_WITHIN_S)
        before = identities(own)
        ctx.out.say(f"killed {supervision.kill_everything(settings)} processes; starting again")
        found, books = come_back(own, before), None
        if back_end is not None:
            back_end.all_end(names, BACK_WITHIN_S)
            books = back_end.books(LedgerReader(settings.home.ledger_db), SETTLED_WITHIN_S)
    _report(ctx, len(names), found, created_s, books)
    if found.there < count or found.doubles or (books is not None and not _is_right(books, count)):
        raise SystemExit(1)


def _back_end(count: int, wanted: bool) -> AbstractContextManager[TrialBackEnd | None]:
    if not wanted:
        return nullcontext()
    from evcs.cli.trial_back_end import MOST_CHARGERS, TrialBackEnd

    if count > MOST_CHARGERS:
        raise BadValue(f"count: at most {MOST_CHARGERS} with --backend", "give fewer")
    return TrialBackEnd()


def _is_right(books: ChargeBalance, count: int) -> bool:
    """Whether each charge begun was ended once, with its Wh."""
    return (books.begun, books.ended, books.wrong) == (count, count, 0)


def fill(
    ctx: CommandContext, count: int, hosting: str = PROCESS, backend: str | None = None
) -> set[str]:
    """Create a fleet and wait until it is green; its ids."""
    width = max(3, len(str(count)))
    names = [f"CP-{number:0{width}d}" for number in range(1, count + 1)]
    more = {} if backend is None else {"backend": backend}
    ctx.registry.create_many([
        {"id": name, "location": f"Street {name}", "hosting": hosting, **more} for name in names
    ])  # fmt: skip
    greens(ctx, set(names))
    return set(names)


def come_back(
    ctx: CommandContext, before: Mapping[str, Identity],
    start: Callable[[], object] | None = None,
) -> Back:  # fmt: skip
    """Start what was killed, by `start` or here, and see who is back as before."""
    began = time.monotonic()
    if start is not None:
        start()
    else:
        supervision.start(ctx.settings, supervision.quiet)
    found = greens(ctx, set(before))
    after = identities(ctx)
    back = sum(before[name] == after.get(name) for name in before if name in found)
    return Back(back, sorted(at - began for at in found.values()), _doubles(ctx.settings.home))


def greens(ctx: CommandContext, names: set[str]) -> dict[str, float]:
    """When each CP was first judged green, on the monotonic clock."""
    found: dict[str, float] = {}

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.CpState) and message.state in GREEN:
            found.setdefault(message.cp, time.monotonic())
        return names <= found.keys()

    deadline = time.monotonic() + BACK_WITHIN_S
    # A connection that fails is tried again after a pause, which would be counted.
    wait_for_broker(ctx.settings.home, BACK_WITHIN_S)
    while time.monotonic() < deadline:
        with suppress(Unreachable), BusProbe(ctx.settings, [topics.filter_for(m.CpState)]) as eye:
            if eye.wait(take, deadline - time.monotonic(), needs_central=False):
                break
    return found


def identities(ctx: CommandContext) -> dict[str, Identity]:
    """What must be the same afterwards: price, power, place and both keys."""
    home = ctx.settings.home
    found = {}
    for cp in ctx.registry.cps():
        keys = [home.secret(who).read_bytes() for who in of_cp(cp["id"])]
        found[cp["id"]] = (cp["price_eur_kwh"], cp["max_power_w"], cp["location"], *keys)
    return found


def _doubles(home: Home) -> int:
    """Roles that more than one process plays."""
    lines: Counter[str] = Counter()
    for pid in processes.of_home(home.path):
        with suppress(OSError):
            words = processes.words(pid)
            if "evcs" in words:
                lines[" ".join(words[words.index("evcs") :])] += 1
    return sum(count > 1 for count in lines.values())


def _report(
    ctx: CommandContext, count: int, found: Back, created_s: float, books: ChargeBalance | None
) -> None:
    if not found.times:
        raise TimedOut("no CP came back", "this is a defect: please report it")
    p95 = found.times[min(len(found.times) - 1, int(len(found.times) * 0.95))]
    figures = {"p50": statistics.median(found.times), "p95": p95, "max": found.times[-1]}
    rows = [
        (
            f"{found.there}/{count}",
            *(f"{figures[name]:.1f}" for name in ("p50", "p95", "max")),
            str(found.doubles),
            f"{created_s:.1f}",
            *(() if books is None else map(str, books)),
        )
    ]
    head: tuple[str, ...] = ("BACK", "GREEN P50 S", "P95 S", "LONGEST S", "DOUBLES", "CREATED IN S")
    head += () if books is None else ("BEGUN", "ENDED", "WRONG")
    report = {
        "count": count,
        "back": found.there,
        "doubles": found.doubles,
        "created_s": round(created_s, 2),
        **{f"green_{name}_s": round(value, 2) for name, value in figures.items()},
        **({} if books is None else {"charges": books._asdict()}),
    }
    ctx.out.data(report, table(head, rows))
    if books is not None and not _is_right(books, count):
        ctx.out.fail(EvcsError("a charge was lost, doubled or has other Wh", "see above"))
    if found.there < count:
        ctx.out.fail(EvcsError(f"{count - found.there} CPs are not as before", "see above"))
