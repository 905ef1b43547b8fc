"""What may reach a terminal: colours of ours, and of all else only what is printed.

A reason, a fault, a line of a log or a payload may hold what would clear the screen or forge a row.
So all that is printed passes `shown`, and only what is made here passes it as it is.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import click

from evcs.config import typed_folder
from evcs.core.ids import plain


class Trusted(str):
    """Text that holds nothing of others which was not shown plain."""

    __slots__ = ()


def shown(text: str) -> Trusted:
    """A line as it may be printed: a tab is a space, what isn't printed a question mark."""
    return text if isinstance(text, Trusted) else Trusted(plain(text.replace("\t", " "), "?"))


def style(text: str, **how: Any) -> Trusted:
    """A text in colours of ours."""
    return Trusted(click.style(shown(text), **how))


def join(*parts: str, by: str = " ") -> Trusted:
    """Texts side by side, each as it may be printed."""
    return Trusted(by.join(shown(part) for part in parts))


def as_json(value: Any) -> str:
    """A value as JSON of one line, with what isn't printed escaped."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def local_time(at: str, precision: str = "seconds") -> str:
    """An RFC 3339 time by the machine's own clock, with its offset; what is none stays."""
    try:
        return datetime.fromisoformat(at).astimezone().isoformat(" ", precision)
    except ValueError:
        return at


_COMMAND = re.compile(r"(?<![\w./-])(?=evcs(-cp|-driver)? [a-z])")


def typed(text: str) -> str:
    """A next step with its commands as they can be typed here: bin/evcs up."""
    return type(text)(_COMMAND.sub(lambda _: typed_folder(), text))
