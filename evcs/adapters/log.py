"""One line an entry: time in UTC, level, who, text; what isn't printed is escaped."""

from __future__ import annotations

import logging
import sys
import time
import traceback


class _Line(logging.Formatter):
    who = "evcs"

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return _line_of(record.created, record.levelname, self.who, text)


_line = _Line()
_handler = logging.StreamHandler()
_handler.setFormatter(_line)


class NamedLog:
    """A log in the name of one of several CPs. `logging` would cost each process 0.3 MiB."""

    def __init__(self, who: str) -> None:
        self._who = who

    def info(self, text: str, /, *args: object) -> None:
        """What happened."""
        self._write("INFO", text % args)

    def warning(self, text: str, /, *args: object) -> None:
        """What should not have."""
        self._write("WARNING", text % args)

    def error(self, text: str, /, *args: object) -> None:
        """What needs a hand."""
        self._write("ERROR", text % args)

    def exception(self, text: str, /, *args: object) -> None:
        """The same, with the exception that is being handled."""
        self._write("ERROR", text % args + "\n" + traceback.format_exc().rstrip())

    def _write(self, level: str, text: str) -> None:
        sys.stdout.write(_line_of(time.time(), level, self._who, text) + "\n")
        sys.stdout.flush()


def _line_of(at: float, level: str, who: str, text: str) -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{second}.{int(at * 1000) % 1000:03d}Z {level} {who} {text}"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def setup(who: str) -> logging.Logger:
    """The program's logger, writing to stdout, which supervisord keeps and rotates."""
    _line.who = who
    _handler.setStream(sys.stdout)
    logger = logging.getLogger("evcs")
    logger.addHandler(_handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
