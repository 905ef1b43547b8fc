"""The three streams of a command, where its caller has closed one."""

from __future__ import annotations

import os
import sys


def open_what_is_closed() -> None:
    """Else what is opened first, such as a socket, would have a stream's number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, mode))
