"""install.sh --system, staged below a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.install.helpers import ROOT, clone, run, snapshot

COMMANDS = ["evcs", "evcs-cp", "evcs-driver"]


def test_what_is_put_where(staged_once: Path) -> None:
    assert {path.name for path in (staged_once / "usr/local/bin").iterdir()} == set(COMMANDS)
    assert (staged_once / "opt/evcs/.home").read_text() == "/var/lib/evcs\n"
    assert (staged_once / "var/lib/evcs").stat().st_mode & 0o777 == 0o750
    assert (staged_once / "etc/systemd/system/evcs.service").is_file()


def test_only_the_program_is_copied(staged_once: Path) -> None:
    names = {path.name for path in (staged_once / "opt/evcs").iterdir()}
    assert {"bin", "conf", "evcs", "mosquitto.conf", "requirements.txt", ".venv"} <= names
    assert not names & {".git", ".ci", "data", "log", "run", "tests"}


def test_the_service_user_may_read_and_not_write(staged_once: Path) -> None:
    for path in (staged_once / "opt").rglob("*"):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            assert mode & 0o022 == 0, path
            assert mode & 0o004, path


def test_it_is_compiled_as_its_user_may_not(staged_once: Path) -> None:
    sources = list((staged_once / "opt/evcs/evcs").rglob("*.py"))
    compiled = list((staged_once / "opt/evcs/evcs").rglob("*.pyc"))
    assert len(compiled) == len(sources) > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_work(staged_once: Path, tmp_path: Path, command: str) -> None:
    done = run(staged_once / "usr/local/bin" / command, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_home_is_the_installed_one(staged: Path, tmp_path: Path) -> None:
    (staged / "opt/evcs/.home").write_text(f"{tmp_path}/home\n")
    done = run(staged / "opt/evcs/bin/supervisorctl", "status")
    assert f"{tmp_path}/home/conf/supervisord.conf" in done.stdout + done.stderr


def test_a_second_run_does_nothing(sources: Path, staged: Path) -> None:
    before = snapshot(staged)
    done = run(sources / "install.sh", "--system", DESTDIR=str(staged))
    assert done.stdout.endswith("Nothing to do.\n")
    assert snapshot(staged) == before


def test_a_dry_run_changes_nothing(sources: Path, tmp_path: Path) -> None:
    target = tmp_path / "root"
    target.mkdir()
    done = run(sources / "install.sh", "--system", "--dry-run", DESTDIR=str(target))
    assert done.returncode == 0
    assert f"would copy the program to {target}/opt/evcs" in done.stdout
    assert list(target.iterdir()) == []


def test_an_upgrade_brings_the_new_program_and_keeps_the_data(
    sources: Path, staged: Path, tmp_path: Path
) -> None:
    data = staged / "var/lib/evcs/data/registry.json"
    data.parent.mkdir()
    data.write_text("kept\n")
    newer = clone(sources, tmp_path / "newer")
    (newer / "evcs" / "new.py").write_text("NEW = True\n")
    (newer / "evcs" / "config.py").unlink()
    venv = snapshot(staged / "opt/evcs/.venv")

    done = run(newer / "install.sh", "--system", DESTDIR=str(staged))

    assert done.returncode == 0, done.stderr
    assert (staged / "opt/evcs/evcs/new.py").exists()
    assert not (staged / "opt/evcs/evcs/config.py").exists()
    assert snapshot(staged / "opt/evcs/.venv") == venv
    assert data.read_text() == "kept\n"
    assert {path.name for path in (staged / "opt").iterdir()} == {"evcs"}


def test_a_command_of_somebody_elses_is_not_overwritten(sources: Path, staged: Path) -> None:
    link = staged / "usr/local/bin/evcs-cp"
    link.unlink()
    link.write_text("another program\n")
    done = run(sources / "install.sh", "--system", DESTDIR=str(staged))
    assert done.returncode == 1
    assert str(link) in done.stderr
    assert link.read_text() == "another program\n"


def test_a_broken_installation_names_the_remedy(staged: Path) -> None:
    shutil.rmtree(staged / "opt/evcs/.venv")
    done = run(staged / "usr/local/bin/evcs", "--help")
    assert done.returncode == 6
    assert f"sudo {staged}/opt/evcs/install.sh --system" in done.stderr


def test_it_repairs_itself_from_the_installed_tree(staged: Path) -> None:
    (staged / "opt/evcs/.venv/requirements.txt").write_text("half made\n")
    (staged / "usr/local/bin/evcs").unlink()
    done = run(staged / "opt/evcs/install.sh", "--system", DESTDIR=str(staged))
    assert done.returncode == 0, done.stderr
    assert run(staged / "usr/local/bin/evcs", "--help").returncode == 0


def test_uninstall_keeps_the_data(sources: Path, staged: Path) -> None:
    data = staged / "var/lib/evcs/ledger.db"
    data.write_text("kept\n")
    done = run(sources / "install.sh", "--system", "--uninstall", DESTDIR=str(staged))
    assert done.returncode == 0
    assert f"{staged}/var/lib/evcs" in done.stdout
    left = {str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file()}
    assert left == {"var/lib/evcs/ledger.db"}


def test_purge_leaves_nothing(sources: Path, staged: Path) -> None:
    (staged / "var/lib/evcs/ledger.db").write_text("gone\n")
    installed = staged / "opt/evcs/install.sh"  # it removes itself, too
    done = run(installed, "--system", "--uninstall", "--purge", DESTDIR=str(staged))
    assert done.returncode == 0
    assert f"remove the data in {staged}/var/lib/evcs" in done.stdout
    assert [path for path in staged.rglob("*") if not path.is_dir()] == []
    again = run(sources / "install.sh", "--system", "--uninstall", DESTDIR=str(staged))
    assert again.stdout.endswith("Nothing to remove.\n")


def test_systemd_accepts_the_unit(staged: Path, tmp_path: Path) -> None:
    """As it stands, but for the folder that it is staged in."""
    text = (staged / "etc/systemd/system/evcs.service").read_text()
    assert "ExecStart=/opt/evcs/bin/evcs up --foreground\n" in text
    assert "ExecStop=/opt/evcs/bin/evcs down\n" in text
    unit = tmp_path / "evcs.service"
    unit.write_text(text.replace("=/opt/evcs/", f"={staged}/opt/evcs/"))
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_exposure_is_what_the_guide_says(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    quoted = re.search(r"an exposure of (\d\.\d) of 10", guide)
    assert quoted

    def measured(unit: Path) -> float:
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
        assert found, done.stdout + done.stderr
        return float(found[1])

    assert measured(ROOT / "conf" / "evcs.service") <= float(quoted[1])
    bare = tmp_path / "evcs.service"
    bare.write_text("[Service]\nUser=evcs\nExecStart=/bin/true\n")
    assert measured(bare) > 9.0
