"""One line an entry: time in UTC, level, who, text; what isn't printed is escaped."""

from __future__ import annotations

import logging
import sys
import time


class _Line(logging.Formatter):
    """`who`: the process; a CP's own log names the CP."""

    who = "evcs"

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if not text.isprintable():
            text = "".join(c if c.isprintable() else _escaped(c) for c in text)
        level = record.levelname
        who = getattr(record, "who", self.who)
        return f"{at}.{int(record.msecs):03d}Z {level} {who} {text}"


_line = _Line()
_handler = logging.StreamHandler()
_handler.setFormatter(_line)


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


def of(who: str) -> logging.LoggerAdapter[logging.Logger]:
    """The same log, in the name of one of several who share a process."""
    return logging.LoggerAdapter(logging.getLogger("evcs"), {"who": who})
