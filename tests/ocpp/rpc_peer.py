"""A charger made of the npm package `ocpp-rpc`, which others wrote, with strict schemas."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.system_under_test import eventually

FOLDER = Path(__file__).parent / "rpc"


class RpcPeer:
    """One connection of a charger, in a process of its own; used as a context."""

    def __init__(self, url: str, user: str, password: str, protocol: str) -> None:
        self._words = ["node", str(FOLDER / "charger.js"), url, user, password, protocol]
        self._answers: list[dict[str, Any]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=FOLDER
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert eventually("it is connected", lambda: self._answers) == [{"connected": True}]
        self._answers.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self._reader.join()

    def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """The answer to a CALL; both are valid by the package's schemas."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([action, payload]) + "\n")
        self._process.stdin.flush()
        found = eventually(f"an answer to {action}", lambda: self._answers and self._answers.pop())
        assert "answer" in found, found
        answer: dict[str, Any] = found["answer"]
        return answer

    def told(self, action: str) -> list[dict[str, Any]]:
        """The payloads of what it was told of that kind."""
        return [payload for name, payload in self.asked if name == action]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = json.loads(line)
            if "asked" in found:
                self.asked.append((found["asked"], found["payload"]))
            else:
                self._answers.append(found)
