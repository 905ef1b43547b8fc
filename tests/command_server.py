"""The commands, each a fork of a process that has loaded them: most of a short one is loading.

What differs from a start by bin/* is the launcher, which tests/contract, tests/install and, once a
page and command, tests/docs start as a user does.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from evcs.adapters import network_namespaces

ROOT = Path(__file__).resolve().parent.parent
MAX_REQUEST = 65_536


class Ended(NamedTuple):
    """A command's end, as subprocess has it: negative where a signal ended it."""

    code: int
    out: str
    err: str


class CommandServer:
    """One process, for as long as this one lives; any thread may ask it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests = ours
        subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.command_server", str(theirs.fileno())],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()

    def run(
        self, program: str, args: tuple[str, ...], env: dict[str, str], cwd: Path, timeout: float,
        namespace: str | None = None, together: bool = False,
    ) -> Ended:  # fmt: skip
        """Run a command to its end, in a network namespace if one is named.

        `together`: what it says to stderr is in `out` as well, as it comes. Raises
        subprocess.TimeoutExpired, and ends it then.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with answers:
                with theirs:
                    request = json.dumps([program, args, env, str(cwd), namespace]).encode()
                    fds = [out.fileno(), (out if together else err).fileno(), theirs.fileno()]
                    socket.send_fds(self._requests, [request], fds)
                pid = int(answers.recv(100))
                answers.settimeout(timeout)
                try:
                    code = int(answers.recv(100))
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired([program, *args], timeout) from None
            return Ended(code, *(_text(file) for file in (out, err)))


@functools.cache
def command_server() -> CommandServer:
    """This process's own."""
    return CommandServer()


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


def _serve(requests: socket.socket, mains: dict[str, Callable[[], object]]) -> Callable[[], object]:
    """Fork for each request until whoever asks is gone; returns in the forks, with their main."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, fds, _, _ = socket.recv_fds(requests, MAX_REQUEST, 3)
        if not data:
            os._exit(0)
        if os.fork() == 0:
            break
        for fd in fds:
            os.close(fd)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program, args, env, cwd, namespace = json.loads(data)
    out, err, answers = fds
    pid = os.fork()
    if pid:
        with contextlib.closing(socket.socket(fileno=answers)) as answer:
            answer.send(str(pid).encode())
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(BrokenPipeError):  # it was given up
                answer.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for fd in fds:
        os.close(fd)
    if namespace is not None:
        network_namespaces.enter(namespace)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [str(ROOT / "bin" / program), *args]
    return mains[program]


def _load() -> dict[str, Callable[[], object]]:
    from supervisor import supervisorctl

    from evcs.cli import evcs, evcs_cp, evcs_driver

    def ctl() -> None:
        conf = f"{os.environ['EVCS_HOME']}/conf/supervisord.conf"
        supervisorctl.main(["-c", conf, *sys.argv[1:]])

    return {
        "evcs": evcs.main, "evcs-cp": evcs_cp.main, "evcs-driver": evcs_driver.main,
        "supervisorctl": ctl,
    }  # fmt: skip


if __name__ == "__main__":
    loaded = _load()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])), loaded)()
