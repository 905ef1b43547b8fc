"""A station's side of OCPP-J: its CALLs one at a time, the back end's answered at once.

Pure: what comes in is given with its time, what goes out is collected in `out`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from evcs.core.ocpp import frames
from evcs.core.ocpp.actions import Sender, actions, knows
from evcs.core.ocpp.frames import Call, Error, Malformed, Result
from evcs.core.ocpp.ports import CallError, Schemas
from evcs.core.ocpp.rules import NO_ID, Fault, Version
from evcs.core.ocpp.times import written

#: Who does not answer in this time is not there.
ANSWER_WITHIN_S = 60.0
#: In the place of a CALLERROR's code where there was no answer of the standard.
BAD_ANSWER = "no answer of the standard"


class At(NamedTuple):
    """Both clocks: monotonic seconds, and the time of day (UTC)."""

    clock: float
    wall: datetime

    @property
    def text(self) -> str:
        """The time of day: RFC 3339 UTC."""
        return written(self.wall)


class Ask(NamedTuple):
    """A CALL of ours. `answered` gets the answer that is valid by its schema, or None with the
    CALLERROR's code."""

    id: str
    action: str
    payload: dict[str, Any]
    answered: Callable[[dict[str, Any] | None, str, At], None]


class Speaker(Protocol):
    """Whose conversation it is: a station of one version."""

    def serves(self, action: str) -> bool:
        """Whether it has what a back end asks for so; else the answer is NotSupported."""

    def called(self, action: str, payload: dict[str, Any], at: At) -> dict[str, Any]:
        """The answer to a CALL that is valid by its schema. Raises CallError."""

    def next_ask(self, at: At) -> Ask | None:
        """What it has to say now, if it has."""


class Conversation:
    """One station's. `out`: texts to be sent once all that was decided is kept."""

    def __init__(self, version: Version, schemas: Schemas, speaker: Speaker) -> None:
        self._version, self._schemas, self._speaker = version, schemas, speaker
        self._asked: Ask | None = None
        self._due = 0.0
        self.is_open = False
        self.out: list[str] = []
        #: What is not as it should be, for the log.
        self.odd: list[str] = []

    def opened(self, at: At) -> None:
        """A connection is there."""
        self.is_open = True
        self.pump(at)

    def lost(self) -> None:
        """It is gone: what was asked is asked again, what is to be sent is void."""
        self.is_open, self._asked = False, None
        self.out.clear()

    def said(self, text: str, at: At) -> None:
        """A text message of the back end's."""
        found = frames.read(self._version, text)
        if isinstance(found, Call):
            self.out.append(frames.write(self._answer(found, at)))
        elif isinstance(found, Malformed):
            self.odd.append(found.fault.rule.what)
            if found.fault is Fault.BAD_ANSWER:
                self._answered(
                    Error(found.id, Fault.OUR_ERROR.rule.answer(self._version) or ""), at
                )
            elif found.answer is not None:
                self.out.append(frames.write(found.answer))
        else:
            self._answered(found, at)
        self.pump(at)

    def pump(self, at: At) -> None:
        """Say what there is to say, if nothing is under way."""
        if self.is_open and self._asked is None:
            ask = self._speaker.next_ask(at)
            if ask is not None:
                self._asked, self._due = ask, at.clock + ANSWER_WITHIN_S
                self.out.append(frames.write(Call(ask.id, ask.action, ask.payload)))

    @property
    def due(self) -> float | None:
        """By when the back end has to answer; None where nothing is asked."""
        return None if self._asked is None else self._due

    def _answered(self, answer: Result | Error, at: At) -> None:
        ask = self._asked
        # Who could not read our id has no other, and we ask one thing at a time.
        unread = isinstance(answer, Error) and answer.id == NO_ID
        if ask is None or (answer.id != ask.id and not unread):
            self.odd.append(Fault.UNASKED.rule.what)
            return
        self._asked = None
        if isinstance(answer, Error):
            self.odd.append(f"{ask.action}: {answer.code} {answer.description}"[:200])
            ask.answered(None, answer.code, at)
            return
        wrong = self._schemas.violation(self._version, ask.action, answer.payload, answer=True)
        if wrong is None:
            ask.answered(answer.payload, "", at)
        else:
            self.odd.append(f"the answer to {ask.action}: {wrong.description}"[:200])
            ask.answered(None, BAD_ANSWER, at)

    def _answer(self, call: Call, at: At) -> Result | Error:
        action = call.action
        if action not in actions(self._version, Sender.CENTRAL_SYSTEM) or not self._speaker.serves(
            action
        ):
            known = knows(self._version, action)
            return self._refuse(
                call, Fault.UNSERVED_ACTION if known else Fault.UNKNOWN_ACTION, action
            )
        if wrong := self._schemas.violation(self._version, action, call.payload):
            return self._refuse(call, wrong.fault, f"{action}: {wrong.description}")
        try:
            return Result(call.id, self._speaker.called(action, call.payload, at))
        except CallError as error:
            return Error(call.id, error.code.spelled(self._version), error.description)

    def _refuse(self, call: Call, fault: Fault, why: str) -> Error:
        self.odd.append(f"{fault.rule.what} {why}"[:200])
        error = frames.error(self._version, fault, call.id, why)
        assert error is not None  # all faults of a CALL are answered
        return error
