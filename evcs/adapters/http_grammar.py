"""What of a request's head the HTTP servers take: the form that HTTP gives it, nothing near it.

pywsgi takes more, and what two readers may understand differently can be used against us
(RFC 9112: https://www.rfc-editor.org/rfc/rfc9112).
"""

from __future__ import annotations

import re
from typing import Any

MAX_HEADER_BYTES = 32_768
MAX_HEADER_LINES = 100

#: Name and value; a line ends with CR and LF, and none continues another.
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)\r\n")
REQUEST_LINE = re.compile(r"[A-Z]+ /[\x21-\x7e]* HTTP/1\.[01]\r\n")
_ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host", b"origin"})


class Headers:
    """Reads header lines up to a total, in bytes and in lines. Raises ValueError."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._left = MAX_HEADER_BYTES
        self._lines_left = MAX_HEADER_LINES
        self._seen: set[bytes] = set()

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._source.readline(min(size, self._left + 1) if size >= 0 else size)
        self._left -= len(line)
        self._lines_left -= 1
        if self._left < 0 or self._lines_left < 0:
            raise ValueError("headers are too large")
        if line != b"\r\n":
            self._check(line)
        return line

    def _check(self, line: bytes) -> None:
        found = _HEADER.fullmatch(line)
        if not found:
            raise ValueError("a header is malformed")
        name, value = found[1].lower(), found[2].strip(b" \t")
        if name in _ONCE and name in self._seen:
            raise ValueError("a header is there twice")
        if name == b"content-length" and not value.isdigit():
            raise ValueError("the length is no number")
        self._seen.add(name)
