"""CPs as commands see them: names spelled out, changes made, judged states waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from evcs.cli.bus_probe import BusProbe, of_cps, states
from evcs.cli.common import CommandContext, error_json
from evcs.cli.progress import ProgressBar
from evcs.cli.terminal import join
from evcs.core import charge_point as cp_states
from evcs.core import messages as m
from evcs.core.cp_row import Word, row, stopped_too
from evcs.core.errors import (
    BY_CODE,
    Conflict,
    EvcsError,
    NotFound,
    PartFailed,
    TimedOut,
    Unreachable,
)
from evcs.core.placement import OCPP

AT_ONCE = 8
_NOT_TOLD = Word(None, None, "Central has not told its state")
Expect = Callable[[m.CpState], bool]


class Goal(NamedTuple):
    """What is waited for of a CP: a judgement of Central's that is `done`.

    It is given up when the Registry, at a later `revision`, wants other than `wanted`.
    """

    done: Expect
    revision: int
    wanted: Mapping[str, Any]

    def overtaken(self, now: m.DesiredCp) -> str | None:
        """What another command has done to the CP meanwhile, if it can't get there any more."""
        if now.revision <= self.revision:
            return None
        if now.deleted:
            return "deleted"
        if now.revoked != self.wanted.get("revoked", now.revoked):
            return "revoked" if now.revoked else "given new secrets"
        if now.service != self.wanted.get("service", now.service):
            return "put back into service" if now.service == "in" else "taken out of service"
        return None


def shown(desired: dict[str, Any], state: m.CpState | None) -> dict[str, Any]:
    """A CP as commands show it."""
    found = row(desired, state, _NOT_TOLD)
    found.pop("revision", None)
    return found


def read(ctx: CommandContext, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """CPs with their judged states; all of them, or those named."""
    wanted = None if ids is None else set(ids)
    desired = [cp for cp in ctx.registry.cps() if wanted is None or cp["id"] in wanted]
    found = states(ctx.settings, {cp["id"] for cp in desired})
    return [shown(cp, found.get(cp["id"])) for cp in desired]


def judged(cp: dict[str, Any]) -> Goal:
    """What Central should judge of a CP that is desired like this; a fault is final too.

    A real charger comes when it comes: nobody waits for it.
    """
    if cp["revoked"] or cp["hosting"] == OCPP:
        return _confirmed(cp) if cp.get("charger") == "confirmed" else taken_note(cp)
    revision = cp["revision"]
    if cp["service"] == "out":
        done = {cp_states.State.OUT_OF_ORDER, cp_states.State.BROKEN_DOWN}
    else:
        done = {cp_states.State.ACTIVATED, cp_states.State.SUPPLYING}

    def holds(state: m.CpState) -> bool:
        final = state.state in done or cp_states.needs_a_hand(state.state, state.reason)
        return state.revision >= revision and final

    return Goal(holds, revision, {"service": cp["service"], "revoked": False})


def _confirmed(cp: dict[str, Any]) -> Goal:
    """Central knows that the charger has taken a stop or resume."""
    known = taken_note(cp)
    return known._replace(
        done=lambda state: known.done(state) and state.reason != cp_states.NOT_CONFIRMED,
        wanted={"service": cp["service"]},
    )


def arrived(cp: dict[str, Any]) -> Goal:
    """Central knows of the change; where the CP moves by it, it has moved."""
    if not cp["moving"]:
        return taken_note(cp)
    goal, revision = judged(cp), cp["revision"]
    return goal._replace(done=lambda state: state.revision > revision and goal.done(state))


def taken_note(cp: dict[str, Any]) -> Goal:
    """Central knows of the change, whatever it judges."""
    revision = cp["revision"]
    return Goal(lambda state: state.revision >= revision, revision, {})


def await_states(
    ctx: CommandContext, goals: dict[str, Goal], timeout_s: float
) -> tuple[dict[str, m.CpState], dict[str, EvcsError]]:
    """Wait until each CP is judged as wanted. States seen last, and an error for each miss."""
    seen: dict[str, m.CpState] = {}
    failed: dict[str, EvcsError] = {}
    left = set(goals)

    def fail(cp: str, error: EvcsError) -> None:
        failed[cp] = error
        left.discard(cp)

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.CpState) and message.cp in goals:
            seen[message.cp] = message
            if goals[message.cp].done(message):
                left.discard(message.cp)
                bar.advance_to(len(goals) - len(left))
        elif isinstance(message, m.ReconcileReport) and message.cp in left and not message.ok:
            why = f"{message.cp} can't be started: {message.error}"
            fail(message.cp, EvcsError(why, "see log/cp-manager.log"))
        elif isinstance(message, m.DesiredCp) and message.cp in left:
            what = goals[message.cp].overtaken(message)
            if what:
                why = f"{message.cp} was {what} by another command meanwhile"
                fail(message.cp, Conflict(why, f"see: evcs-cp show {message.cp}"))
        return not left

    kinds = (m.CpState, m.ReconcileReport, m.DesiredCp)
    subscriptions = of_cps(kinds, goals)
    with ProgressBar(ctx, len(goals)) as bar, BusProbe(ctx.settings, subscriptions) as probe:
        probe.wait(take, min(timeout_s, ctx.left_s))
    for cp in left:
        state = seen.get(cp)
        why = f" ({state.reason})" if state and state.reason else ""
        found = f"it is {state.state}{why}" if state else "Central told nothing of it"
        failed[cp] = TimedOut(
            f"{cp} did not get there in {timeout_s:g} s: {found}", f"see: evcs-cp show {cp}"
        )
    return seen, failed


RETAINED = (m.DesiredCp, m.ReconcileReport, m.EngineStatus, m.MonitorStatus, m.CpState)


def await_gone(ctx: CommandContext, ids: list[str], timeout_s: float) -> dict[str, EvcsError]:
    """Wait until CPs are deleted, with every retained message. An error for each that isn't."""
    kept: dict[str, set[type]] = {cp: set() for cp in ids}
    left, listed = set(ids), False

    def take(message: m.Message | m.Cleared) -> bool:
        nonlocal listed
        if isinstance(message, m.ServiceStatus) and not listed:
            listed = True  # it is told behind all that is retained of the CPs
            for cp in ids:
                check(cp)
        elif isinstance(message, m.Cleared):
            cp = message.key.get("cp", "")
            if cp in left:
                kept[cp].discard(message.kind)
                check(cp)
        elif isinstance(message, RETAINED) and message.cp in left:
            kept[message.cp].add(type(message))
        return not left

    def check(cp: str) -> None:
        if listed and not kept[cp] and not _exists(ctx, cp):
            left.discard(cp)
            bar.advance_to(len(ids) - len(left))

    subscriptions = of_cps(RETAINED, ids)
    with ProgressBar(ctx, len(ids)) as bar, BusProbe(ctx.settings, subscriptions) as probe:
        probe.wait(take, min(timeout_s, ctx.left_s))
    return {
        cp: TimedOut(
            f"{cp} is still being deleted after {timeout_s:g} s",
            "it goes on by itself; a charge under way is ended first",
        )
        for cp in left
    }


def _exists(ctx: CommandContext, cp: str) -> bool:
    try:
        ctx.registry.cp(cp)
    except NotFound:
        return False
    return True


class Results(NamedTuple):
    """What a bulk came to: answers and errors by id."""

    made: dict[str, Any]
    errors: dict[str, EvcsError]


def each(ids: list[str], do: Callable[[str], Any]) -> Results:
    """Do something to each id, several at once."""

    def one(cp: str) -> Any:
        try:
            return do(cp)
        except EvcsError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            found = dict(zip(ids, pool.map(one, ids), strict=True))
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return outcome(found)


def outcome(found: Mapping[str, Any]) -> Results:
    """Answers and errors by id, told apart."""
    errors = {cp: value for cp, value in found.items() if isinstance(value, EvcsError)}
    return Results({cp: value for cp, value in found.items() if cp not in errors}, errors)


def tell_done(ctx: CommandContext, results: Results, word: str, what: str = "CPs") -> None:
    """Print a bulk's outcome where there is no state to wait for."""
    finish(ctx, [{"id": one, "done": word} for one in results.made], results.errors, what)


def wait_and_finish(
    ctx: CommandContext,
    made: list[dict[str, Any]],
    errors: dict[str, EvcsError],
    goal: Callable[[dict[str, Any]], Goal],
    wait: bool,
    timeout: float,
    so_far: str = "registered",
) -> None:
    """Wait for Central's judgement of what was changed, and print how it ended.

    `so_far`: what has become of the change already, whatever cuts the wait short.
    """
    if not wait or not made:
        finish(ctx, [shown(cp, None) for cp in made], errors)
        return
    done = f"{so_far}: {made[0]['id'] if len(made) == 1 else f'{len(made)} CPs'}"
    try:
        seen, late = await_states(ctx, {cp["id"]: goal(cp) for cp in made}, timeout)
    except Unreachable as error:
        raise Unreachable(f"{done}; but {error.message}", error.hint) from None
    except KeyboardInterrupt:
        ctx.out.say(f"{done}; left before Central had judged it, see: evcs-cp list")
        raise SystemExit(130) from None
    rows = [shown(cp, seen.get(cp["id"])) for cp in made if cp["id"] not in late]
    finish(ctx, rows, {**errors, **late})


def finish(
    ctx: CommandContext, rows: list[dict[str, Any]], errors: dict[str, EvcsError],
    what: str = "CPs",
) -> None:  # fmt: skip
    """Print a bulk's outcome and end with its exit code: alike everywhere, or part failed."""
    items = [*rows, *({"id": cp, "error": error_json(error)} for cp, error in errors.items())]
    items.sort(key=lambda item: str(item["id"]))
    single = len(items) == 1
    text = [_ended(ctx, row) for row in rows]
    if single and errors:
        raise next(iter(errors.values()))
    ctx.out.done(items[0] if single else items, text)
    if not errors:
        return
    ctx.out.fail_all(errors, what)
    codes = {error.code for error in errors.values()}
    if not rows and len(codes) == 1:
        raise SystemExit(BY_CODE[codes.pop()].exit_code)
    raise SystemExit(PartFailed.exit_code)


def _ended(ctx: CommandContext, row: dict[str, Any]) -> str:
    """How a CP ended, in a line, and what was changed, where that was an edit."""
    said = [stopped_too(row)] if row.get("state") else []
    if "changed" in row:
        said.append(", ".join(row["changed"]) or "nothing to change")
    notes = [f"({one})" for one in said if one]
    first = ctx.out.state(row["state"]) if row.get("state") else row.get("done", "done")
    return join(row["id"], first, *notes)
