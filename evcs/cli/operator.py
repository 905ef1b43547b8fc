"""The operator's requests to Central, as the CLI makes them on the bus."""

from __future__ import annotations

import os
from typing import Any

from evcs.cli.bus_probe import BusProbe
from evcs.cli.common import CommandContext
from evcs.core import messages as m
from evcs.core import topics
from evcs.core.errors import BY_CODE, BadValue, EvcsError, Unreachable
from evcs.core.ids import MAX_TEXT

ANSWER_WITHIN_S = 10.0


def ask_operator(
    ctx: CommandContext, verb: str, cp: str | None = None, session_id: str | None = None,
    reason: str | None = None, driver: str | None = None, role: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Ask Central for something and return its answer's body. Raises what it refuses with."""
    if reason is not None and len(reason) > MAX_TEXT:
        raise BadValue("the reason is too long", f"allowed: text of at most {MAX_TEXT} characters")
    asked = m.OperatorRequest(
        "operator", verb, os.urandom(8).hex(), cp, session_id, reason, driver, role
    )
    answers: list[m.OperatorEvent] = []

    def take(message: m.Message | m.Cleared) -> bool:
        if isinstance(message, m.OperatorEvent) and message.id == asked.id:
            answers.append(message)
        return bool(answers)

    subscriptions = [topics.filter_for(m.OperatorEvent, asker="operator")]
    with BusProbe(ctx.settings, subscriptions, "operator") as observer:
        if not observer.ask(asked, take, min(ANSWER_WITHIN_S, ctx.left_s)):
            raise Unreachable(f"no answer to {verb}", "see: evcs logs central")
    answer = answers[0]
    if not answer.ok:
        text = str(answer.body.get("message") or answer.error)
        hint = str(answer.body.get("hint") or "")
        raise BY_CODE.get(answer.error or "", EvcsError)(text, hint)
    return dict(answer.body)
