"""supervisord, which forks the CPs' processes and the pools': what they import is loaded once."""

from __future__ import annotations

import encodings.ascii  # noqa: F401
from collections.abc import Callable, Collection, Sequence

import evcs.adapters.log
import evcs.bootstrap.engines
import evcs.bootstrap.monitors  # noqa: F401
from evcs.adapters import supervisord_server
from evcs.config import Settings
from evcs.core.setting_values import FORK


def run_supervisord(
    settings: Settings,
    args: Sequence[str],
    roles: Collection[str],
    play: Callable[[Sequence[str]], None],
) -> None:
    """Be supervisord; `play` is given the words of a fork's role, one of `roles`, and its CP."""
    if settings.cp_start == FORK:
        # In a fork it is 7 MiB each (decision 45), and perhaps of a later version than this.
        import evcs.bootstrap.station  # noqa: F401
    if settings.is_joined:
        from evcs.adapters import tls_stream  # noqa: F401
    forked = roles if settings.cp_start == FORK else ()
    supervisord_server.main(args, supervisord_server.Forked(forked, play), settings.services)
