"""supervisord itself, as ours: it reads each file at the same cost, forks CPs, keeps its pace.

supervisor 4.3 goes once more through all that it has read so far after every included file:
half a second at 300 CPs and six seconds at 1,000, at each start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import supervisord
from supervisor.options import ProcessConfig, ServerOptions, UnhosedConfigParser
from supervisor.poller import Poller
from supervisor.process import Subprocess
from supervisor.states import ProcessStates, SupervisorStates

from evcs.adapters import forked_start
from evcs.adapters.supervisord_extension import Extension
from evcs.core.ids import RESERVED

#: So many processes are started in one turn of supervisord's loop. In between it empties its
#: children's pipes and answers: with 600 in one turn they would stand still, their pipes full. With
#: fewer less of it would be shared, and a turn looks at all processes, 10 ms at 600.
STARTS_A_TURN = 16
#: Python makes an enum of each: of all 64, thrice a fork, that was a tenth of a start.
HELD_BACK = (*forked_start.HANDLED, signal.SIGINT)
ENDED = frozenset({ProcessStates.STOPPED, ProcessStates.EXITED, ProcessStates.BACKOFF})


class Forked(NamedTuple):
    """The roles whose processes are forks, and who plays one, given its role and CP."""

    roles: Collection[str]
    play: Callable[[Sequence[str]], None]


_read, _expand_here = UnhosedConfigParser.read, UnhosedConfigParser.expand_here


def read(parser: UnhosedConfigParser, filename: str) -> list[str]:
    """Read an included file alone and take its sections over.

    Where they meet what is there already, supervisor does it in its own way.
    """
    one = UnhosedConfigParser()
    found = RawConfigParser.read(one, [filename])
    sections = one.sections()
    if one.defaults() or any(parser.has_section(section) for section in sections):
        return list(_read(parser, filename))
    one.expand_here(str(Path(filename).resolve().parent))
    for section in sections:
        parser.add_section(section)
        for option, value in one.items(section):
            parser.set(section, option, value)
        parser.section_to_file[section] = filename
    parser.is_expanded = True
    return list(found)


def expand_here(parser: UnhosedConfigParser, here: str) -> None:
    """Spell %(here)s out, unless that was just done."""
    if getattr(parser, "is_expanded", False):
        parser.is_expanded = False
    else:
        _expand_here(parser, here)


class _Poller(Poller):
    """A turn of the loop begins here; it waits for nothing if the last one left processes to it."""

    def poll(self, timeout: float) -> Any:
        found = super().poll(0 if self.options.some_wait else timeout)
        self.options.some_wait, self.options.started = False, 0
        return found


class _Prepared(BaseException):
    """A process is ready to be forked. No exception of supervisor's: its `spawn` catches those."""


class _Process(Subprocess):
    """A process that waits for the next turn where this one has started enough others."""

    _command: tuple[str, Sequence[str]]

    def get_execv_args(self) -> tuple[str, Sequence[str]]:
        self._command = super().get_execv_args()
        return self._command

    def spawn(self) -> Any:
        """All up to the fork, which comes when the others of this turn are ready too."""
        options = self.config.options
        options.prepares = True
        try:
            return super().spawn()
        except _Prepared:
            options.prepared.append(self)
            return None
        finally:
            options.prepares = False

    def play(self) -> None:
        """Be this process, in its fork; supervisor ends that in any case."""
        self._spawn_as_child(*self._command)

    def take_over(self, outcome: int | OSError) -> None:
        """In supervisord: the fork's pid, or why there is none; then it is tried again."""
        options = self.config.options
        if isinstance(outcome, int):
            self._spawn_as_parent(outcome)
            return
        self.record_spawnerr(f"can't fork {self.config.name}: {outcome.strerror}")
        self.change_state(ProcessStates.BACKOFF)
        options.close_parent_pipes(self.pipes)
        options.close_child_pipes(self.pipes)

    def transition(self) -> None:
        # Nothing follows from being up, which nearly all are at nearly every turn.
        if self.state != ProcessStates.RUNNING and (
            self.state not in ENDED or self.config.options.may_start()
        ):
            super().transition()


class _ProcessConfig(ProcessConfig):
    def make_process(self, group: Any = None) -> _Process:
        process = _Process(self)
        process.group = group
        return process


class Options(ServerOptions):
    """supervisor's settings and system calls, with the extension among its RPC interfaces.

    The file could name that; but then no other supervisord would read that file.
    """

    minfds: int

    def __init__(self, forked: Forked, services: Collection[str]) -> None:
        super().__init__()
        self._forked = forked
        self._elsewhere = RESERVED.difference(services)
        self._descriptors = 0
        self.some_wait = self.prepares = False
        self.prepared: list[_Process] = []
        self.started = 0
        self.poller = _Poller(self)

    def read_config(self, fp: Any) -> Any:
        section = super().read_config(fp)
        section.rpcinterface_factories.append(("evcs", Extension, {}))
        return section

    def process_groups_from_parser(self, parser: Any) -> Any:
        """All but the services that are another machine's."""
        found = super().process_groups_from_parser(parser)
        return [group for group in found if group.name not in self._elsewhere]

    def processes_from_section(
        self, parser: Any, section: str, group_name: str, klass: Any = None
    ) -> Any:
        klass = _ProcessConfig if klass in (None, ProcessConfig) else klass
        return super().processes_from_section(parser, section, group_name, klass)

    def may_start(self) -> bool:
        """Whether this turn may start another process."""
        self.some_wait = self.some_wait or self.started >= STARTS_A_TURN
        self.started += not self.some_wait
        return not self.some_wait

    def setsignals(self) -> None:
        """The last step before the loop: the fleet's settings are read, and are shared too."""
        super().setsignals()
        forked_start.share()

    def fork(self) -> int:
        """Not yet, see `waitpid`; for what is not ours, such as an event listener, now."""
        if self.prepares:
            raise _Prepared
        return forked_start.fork()

    def waitpid(self) -> Any:
        """Who has ended; before that all that this turn has prepared is forked, in one go.

        What supervisord does between two forks writes to some 390 of its pages, which the first
        child would keep for itself: with many in one go 0.4 MiB of each is shared instead.
        """
        if self.prepared:
            self._fork_prepared()
        return super().waitpid()

    def _fork_prepared(self) -> None:
        prepared, self.prepared = self.prepared, []
        outcomes: list[int | OSError] = []
        # A signal that comes before the child has its own handlers waits, or it would be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        for process in prepared:
            try:
                pid = forked_start.fork()
            except OSError as error:
                outcomes.append(error)
                continue
            if not pid:
                process.play()
            outcomes.append(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
        for process, outcome in zip(prepared, outcomes, strict=True):
            process.take_over(outcome)

    def setpgrp(self) -> None:
        """The child's first step: supervisor would close descriptors one by one then."""
        super().setpgrp()
        self._descriptors, self.minfds = self.minfds, 3

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        os.closerange(3, self._descriptors)
        words = forked_start.words(argv, self._forked.roles)
        if words:
            forked_start.become(self._forked.play, words, env)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        super().execve(filename, argv, env)


def main(args: Sequence[str], forked: Forked, services: Collection[str] = RESERVED) -> None:
    """Be supervisord, with these services, until it is told to end; a HUP has it begin anew."""
    forked_start.title(("supervisord", *args[:2]))
    forked_start.share()
    UnhosedConfigParser.read, UnhosedConfigParser.expand_here = read, expand_here
    first, mood = True, SupervisorStates.RESTARTING
    while mood >= SupervisorStates.RESTARTING:
        options = Options(forked, services)
        options.realize(args, doc=supervisord.__doc__)
        options.first, options.test = first, False
        supervisord.go(options)
        options.close_httpservers()
        options.close_logger()
        first, mood = False, options.mood
