"""A unit, a CP of its own or a pool, as supervisord's section text.

The text depends on its name alone: no free text, no path and no secret gets in, so it is
the same on every machine and after every edit, and a CP is never restarted because its
price changed. `evcs up` gives supervisord the two variables that it expands.
"""

from __future__ import annotations

from evcs.core import pools
from evcs.core.ids import check_id, is_cp_id

ROLES = ("engine", "monitor")

_HEAD = """\
; {unit}: written by the CP Manager, which puts it right again after any change by hand.
[group:{unit}]
programs={programs}
"""

# startretries: a CP is tried again for ever; its pause between tries grows by a second each.
_PROGRAM = """
[program:{unit}.{role}]
process_name={role}
command=setpriv --pdeathsig KILL "%(ENV_EVCS_PYTHON)s" -P -m evcs {role} {unit}
directory=%(ENV_EVCS_HOME)s
autorestart=true
startsecs=1
startretries=1000000000
stopwaitsecs=10
redirect_stderr=true
stdout_logfile=%(ENV_EVCS_HOME)s/log/{unit}.{role}.log
stdout_logfile_maxbytes={log_size}
stdout_logfile_backups=1
"""


def is_unit(name: str) -> bool:
    """Whether a group of ours may have that name."""
    return is_cp_id(name) or pools.is_shared(name)


def check_unit(name: str) -> str:
    """Give a unit's name back. Raises BadValue."""
    return name if pools.is_shared(name) else check_id("CP", name)


def roles(unit: str) -> tuple[str, ...]:
    """The processes of a unit, by their names in its group."""
    return pools.roles(unit) if pools.is_shared(unit) else ROLES


def process(unit: str, role: str) -> str:
    """The process of a unit, by its name in the group, that plays a CP's role of ROLES."""
    found = roles(unit)
    return found[ROLES.index(role)] if len(found) > 1 else found[0]


def programs(unit: str) -> tuple[str, ...]:
    """The names of the programs in a section; a dot keeps them apart from any id."""
    return tuple(f"{unit}.{role}" for role in roles(unit))


def file_name(unit: str) -> str:
    """The section file of a unit in conf/supervisord.d."""
    return f"{unit}.conf"


def render(unit: str) -> str:
    """The whole section file of a unit."""
    log_size = "10MB" if pools.is_shared(unit) else "1MB"
    head = _HEAD.format(unit=unit, programs=",".join(programs(unit)))
    return head + "".join(
        _PROGRAM.format(unit=unit, role=role, log_size=log_size) for role in roles(unit)
    )
