"""A CP as supervisord's section text.

The text depends on the id alone: no free text, no path and no secret gets in, so it is
the same on every machine and after every edit, and a CP is never restarted because its
price changed. `evcs up` gives supervisord the two variables that it expands.
"""

from __future__ import annotations

ROLES = ("engine", "monitor")

_HEAD = """\
; {cp}: written by the CP Manager, which puts it right again after any change by hand.
[group:{cp}]
programs={programs}
"""

# startretries: a CP is tried again for ever; its pause between tries grows by a second each.
_PROGRAM = """
[program:{cp}.{role}]
process_name={role}
command=setpriv --pdeathsig KILL "%(ENV_EVCS_PYTHON)s" -P -m evcs {role} {cp}
directory=%(ENV_EVCS_HOME)s
autorestart=true
startsecs=1
startretries=1000000000
stopwaitsecs=10
redirect_stderr=true
stdout_logfile=%(ENV_EVCS_HOME)s/log/{cp}.{role}.log
stdout_logfile_maxbytes=1MB
stdout_logfile_backups=1
"""


def programs(cp: str) -> tuple[str, ...]:
    """The names of the programs in a CP's section; a dot keeps them apart from any id."""
    return tuple(f"{cp}.{role}" for role in ROLES)


def file_name(cp: str) -> str:
    """The section file of a CP in conf/supervisord.d."""
    return f"{cp}.conf"


def render(cp: str) -> str:
    """The whole section file of a CP."""
    head = _HEAD.format(cp=cp, programs=",".join(programs(cp)))
    return head + "".join(_PROGRAM.format(cp=cp, role=role) for role in ROLES)
