from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import ProcessGroupConfig, ServerOptions

from evcs.core import sections
from evcs.core.ids import ID, RESERVED

MAIN = "[supervisord]\nnodaemon=true\n[include]\nfiles=sections/*.conf\n"
IDS = st.from_regex(ID, fullmatch=True).filter(lambda cp: cp.lower() not in RESERVED)


def parsed(folder: Path, *cps: str) -> list[ProcessGroupConfig]:
    """What supervisor itself reads out of the section files of these CPs."""
    (folder / "sections").mkdir(exist_ok=True)
    for path in (folder / "sections").iterdir():
        path.unlink()
    for cp in cps:
        (folder / "sections" / sections.file_name(cp)).write_text(sections.render(cp))
    main = folder / "supervisord.conf"
    main.write_text(MAIN)
    options = ServerOptions()
    options.configfile = str(main)
    options.environ_expansions = {"ENV_EVCS_PYTHON": "/opt/py thon", "ENV_EVCS_HOME": str(folder)}
    options.process_config(do_usage=False)
    found: list[ProcessGroupConfig] = options.process_group_configs
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a home")
    (path / "log").mkdir()
    return path


@given(cp=IDS)
def test_supervisor_reads_one_group_of_two_programs(folder: Path, cp: str) -> None:
    (group,) = parsed(folder, cp)
    assert group.name == cp
    assert [program.name for program in group.process_configs] == ["engine", "monitor"]
    for program in group.process_configs:
        assert program.command == (
            f'setpriv --pdeathsig KILL "/opt/py thon" -P -m evcs {program.name} {cp}'
        )
        assert program.directory == str(folder)
        assert program.uid is None
        assert program.startretries >= 1_000_000_000
        assert program.stdout_logfile == f"{folder}/log/{cp}.{program.name}.log"
        assert program.redirect_stderr


def test_sections_of_many_cps_stand_side_by_side(folder: Path) -> None:
    cps = ["CP-1", "CP-11", "CP-1-1", "CP-1_", "cp-2", "supervisord", "engine", "0"]
    assert {group.name for group in parsed(folder, *cps)} == set(cps)
    assert all(len(group.process_configs) == 2 for group in parsed(folder, *cps))


@given(IDS)
def test_the_text_depends_on_the_id_alone(cp: str) -> None:
    assert sections.render(cp) == sections.render(str(cp.encode(), "ascii"))
    assert sections.render(cp).isascii()


@given(IDS, IDS)
def test_no_two_cps_share_a_program_or_a_file(one: str, other: str) -> None:
    if one != other:
        assert not set(sections.programs(one)) & {*sections.programs(other), other}
        assert sections.file_name(one) != sections.file_name(other)


def test_no_programs_log_grows_without_end() -> None:
    root = Path(__file__).resolve().parents[2]
    found = configparser.RawConfigParser()
    found.read_string((root / "conf" / "supervisord.conf").read_text())
    assert found["supervisord"]["logfile_maxbytes"] == "5MB"
    assert found["supervisord"]["logfile_backups"] == "2"
    found.read_string(sections.render("CP-1"))
    programs = [one for name, one in found.items() if name.startswith("program:")]
    assert len(programs) == len(RESERVED) + 2
    broker = found["program:mosquitto"]
    assert broker["stdout_logfile_maxbytes"] == "0", "it writes and we move on: broker_log_file"
    for one in programs:
        assert one["redirect_stderr"] == "true"
        if one is broker:
            continue
        assert one["stdout_logfile_maxbytes"] in ("1MB", "5MB")
        assert one["stdout_logfile_backups"] in ("1", "2")
