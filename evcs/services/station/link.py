"""What a station has of its back end: the connection, what went over it, how it is."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from evcs.core.ocpp import back_end as b
from evcs.core.ocpp.masking import masked
from evcs.core.ports import Log

#: Frames that are shown to who asks.
FRAMES_SHOWN = 20
#: Of each so many characters.
SHOWN_CHARACTERS = 1_000


class BackEndLink:
    """`state`: what it has of its back end."""

    def __init__(self, back_end: b.BackEnd, log: Log) -> None:
        self._back_end, self._log = back_end, log
        self._frames: deque[tuple[str, str]] = deque(maxlen=FRAMES_SHOWN)
        self._sent = self._received = 0
        self._set: tuple[float, b.BackOff] | None = None
        self._password: bytes | None = None
        self._reason = ""
        self.state = b.AWAY

    def opened(self) -> None:
        """It is there."""
        self.state, self._reason = b.CONNECTED, ""
        self._log.info("back end: connected")

    def lost(self, event: b.Lost) -> bool:
        """It is gone; said once, not at each try. Whether that is news."""
        state = b.REFUSED if event.refused else b.AWAY
        is_news = state != self.state or not self._reason
        if is_news:
            self._log.warning("back end: %s", event.reason)
        self.state, self._reason = state, event.reason
        return is_news

    def heard(self, text: str) -> None:
        """A message of the back end."""
        self._received += 1
        self._frames.append(("in", text))

    def send(self, texts: list[str]) -> None:
        """What it is told; nothing is left of it then, sent or not."""
        for text in texts:
            if self._back_end.send(text):
                self._sent += 1
                self._frames.append(("out", text))
        texts.clear()

    def drop(self, reason: str) -> None:
        """Dial it anew."""
        self._back_end.close(1001, reason)

    def dial_as(self, password: bytes | None) -> None:
        """With a password that its back end has given it, at once (security whitepaper, A01)."""
        if password is not None and password != self._password:
            self._password = password
            self._back_end.set_password(password)
            self.drop("with its new password")

    def set(self, ping_s: float, back_off: b.BackOff) -> None:
        """Look for a dead connection so often, and wait like that before it is dialled anew."""
        if (ping_s, back_off) != self._set:
            self._set = (ping_s, back_off)
            self._back_end.set_ping(ping_s)
            self._back_end.set_back_off(back_off)

    def shown(self, most_bytes: int) -> dict[str, Any]:
        """What was exchanged lately, without passwords: as many frames as there is room for."""
        frames = deque[dict[str, str]]()
        for dir_, text in reversed(self._frames):
            frame = {"dir": dir_, "frame": masked(text)[:SHOWN_CHARACTERS]}
            most_bytes -= len(json.dumps(frame)) + 2
            if most_bytes < 0:
                break
            frames.appendleft(frame)
        return {
            "reason": self._reason[:SHOWN_CHARACTERS] or None,
            "sent": self._sent,
            "received": self._received,
            "frames": [*frames],
        }
