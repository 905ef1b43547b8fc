"""The operator's requests to Central, as the CLI makes them on the bus."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext, user
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BY_CODE, BadValue, EvcsError, Unreachable
from evcs.core.ids import MAX_TEXT
from evcs.core.messages import NOTHING

ANSWER_WITHIN_S = 10.0
#: The broker hands on so many before the first is acknowledged: a CP Manager has them as one batch.
AT_ONCE = 20


def ask_operator(
    ctx: CommandContext, verb: str, cp: str | None = None, session_id: str | None = None,
    driver: str | None = None, role: str | None = None, after: str | None = None,
    body: Mapping[str, Any] = NOTHING, within_s: float = ANSWER_WITHIN_S,
) -> dict[str, Any]:  # fmt: skip
    """Ask Central for something and return its answer's body. Raises what it refuses with."""
    asked = m.OperatorRequest(
        "operator", verb, _new_id(), cp, session_id, driver=driver, role=role, after=after,
        by=user(), body=body,
    )  # fmt: skip
    (answer,) = _ask(ctx, [asked], within_s)
    if isinstance(answer, EvcsError):
        raise answer
    return answer


def ask_of_each(
    ctx: CommandContext, verb: str, cps: Sequence[str], reason: str | None = None
) -> dict[str, dict[str, Any] | EvcsError]:
    """The same of several CPs: for each its answer's body, or what Central refuses with."""
    if reason is not None and len(reason) > MAX_TEXT:
        raise BadValue("the reason is too long", f"allowed: text of at most {MAX_TEXT} characters")
    by = user()
    asked = [m.OperatorRequest("operator", verb, _new_id(), cp, reason=reason, by=by) for cp in cps]
    return dict(zip(cps, _ask(ctx, asked), strict=True))


def make_way(ctx: CommandContext, made: Iterable[Mapping[str, Any]]) -> None:
    """Have charges of CPs that move to another host end, so that nobody waits for them."""
    moving = [cp["id"] for cp in made if cp["moving"]]
    found: Mapping[str, dict[str, Any] | EvcsError] = {}
    try:
        found = ask_of_each(ctx, "make_way", moving) if moving else {}
    except EvcsError as error:
        found = dict.fromkeys(moving, error)
    for cp, answer in found.items():
        if isinstance(answer, EvcsError):
            ctx.out.say(f"{cp} moves once it is free: {answer.message}")


def _new_id() -> str:
    return os.urandom(8).hex()


def _ask(
    ctx: CommandContext, requests: Sequence[m.OperatorRequest], within_s: float = ANSWER_WITHIN_S
) -> list[dict[str, Any] | EvcsError]:
    answers: dict[str, m.OperatorEvent] = {}
    wanted: set[str] = set()

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.OperatorEvent):
            answers.setdefault(message.id, message)
        return wanted <= answers.keys()

    verb = requests[0].verb if requests else ""
    missing: EvcsError = Unreachable(f"no answer to {verb}", "see: evcs logs central")
    subscriptions = [topics.filter_for(m.OperatorEvent, asker="operator")]
    with BusProbe(ctx.settings, subscriptions, "operator") as probe:
        for first in range(0, len(requests), AT_ONCE):
            some = requests[first : first + AT_ONCE]
            wanted = {one.id for one in some}
            try:
                probe.ask(some, take, min(within_s, ctx.left_s))
            except Unreachable as error:
                missing = error
            if not wanted & answers.keys():
                break
    return [_outcome(answers[one.id]) if one.id in answers else missing for one in requests]


def _outcome(answer: m.OperatorEvent) -> dict[str, Any] | EvcsError:
    if answer.ok:
        return dict(answer.body)
    text = str(answer.body.get("message") or answer.error)
    return BY_CODE.get(answer.error or "", EvcsError)(text, str(answer.body.get("hint") or ""))
