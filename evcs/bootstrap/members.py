"""A member of a pool as its process makes it: what it holds, in whose name it logs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from evcs.adapters.log import NamedLog
from evcs.bootstrap import parts
from evcs.config import Settings
from evcs.runtime.loop import Loop
from evcs.runtime.pool import CpParts, CpRuntime, Put, Role

R = TypeVar("R", bound=Role)


def member(
    settings: Settings, loop: Loop, cp: str, role: str,
    make: Callable[[NamedLog, Put, ExitStack], CpParts[R]], *more: str,
) -> CpRuntime[R]:  # fmt: skip
    """`make(log, put, held)`: what it gives to `held` is given back when the role ends.

    The role's lock is the CP's, whatever its hosting: there is no other of it while it lives.
    `more`: other roles that it plays, too.
    """
    log = NamedLog(f"{cp} {role}")

    def begin(put: Put) -> CpParts[R]:
        with ExitStack() as held:
            for one in (role, *more):
                held.callback(os.close, parts.hold(settings, f"{cp}.{one}"))
            made = make(log, put, held)
            held.callback(made.close)
            return made._replace(close=held.pop_all().close)

    return CpRuntime(loop, begin, log)
