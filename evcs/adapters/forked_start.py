"""A CP's process as a fork of supervisord, which has its code loaded: nothing is executed.

Of 24.8 s in which 300 CPs came back after a power cut, 86 % were interpreters that start: 46 ms
of CPU each, for imports. What exec does for a process is done here by hand.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

from setproctitle import setproctitle

PR_SET_PDEATHSIG = 1
BEFORE_PYTHON = ("setpriv", "--pdeathsig", "KILL")
BEFORE_ROLE = ("-P", "-m", "evcs")
#: What supervisor handles (`ServerOptions.setsignals`).
HANDLED = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)

_libc = ctypes.CDLL(None, use_errno=True)
#: Its calls keep the interpreter's lock.
_python = ctypes.PyDLL(None, use_errno=True)


def words(argv: Sequence[str], roles: Collection[str]) -> list[str]:
    """What is behind `-m evcs` of a section's command, where it is one of these roles.

    Empty for any other command, also for one with another Python: that is to be executed.
    """
    ours = (*BEFORE_PYTHON, sys.executable, *BEFORE_ROLE)
    found = list(argv[len(ours) :])
    return found if tuple(argv[: len(ours)]) == ours and found[0] in roles else []


def title(words: Sequence[str]) -> None:
    """What `ps` shows, one word to the kernel; found by the environment as it is at first."""
    setproctitle(" ".join((sys.executable, *BEFORE_ROLE, *words)))


def share() -> None:
    """What is loaded so far stays shared: the collector of no child goes through it.

    What was shared before and has become waste, such as a fleet's settings at a HUP, goes.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def fork() -> int:
    """Fork as the C library does; what Python adds is for the threads that others may have.

    With one thread no lock is held that a child would wait for, and random numbers are seeded in
    `become`. What threading, logging and random do at a fork was 0.3 MiB of each child. Raises
    OSError.
    """
    pid = _python.fork()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "fork")
    return int(pid)


def become(
    play: Callable[[Sequence[str]], None], words: Sequence[str], env: Mapping[str, str]
) -> NoReturn:
    """Be a process of its own in this fork, then end. Never returns.

    supervisor has set process group, user, folder, umask and descriptors 0 to 2 by now.
    """
    code = 1
    try:
        _be_alone(words, env)
        code = _exit_code(play, words)
    finally:
        os._exit(code)


def _be_alone(words: Sequence[str], env: Mapping[str, str]) -> None:
    # supervisord's objects are never freed here: a socket among them would close a descriptor
    # of ours that has its number.
    gc.freeze()
    default_signals()
    random.seed()
    # What the parent's own stream still holds stays with it.
    sys.stdout = sys.stderr = open(  # noqa: SIM115
        1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    title(words)
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG")


def default_signals() -> None:
    """Every signal does what it does in a new Python, and none is held back."""
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _exit_code(play: Callable[[Sequence[str]], None], words: Sequence[str]) -> int:
    """Play, and end as an interpreter would: its code, or what went wrong into the log."""
    try:
        play(words)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0
