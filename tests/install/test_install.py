"""install.sh in a checkout."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.install.conftest import FirstUse
from tests.install.helpers import AS_NOBODY, clone, environment, run, snapshot

SUPERVISORD_CONF = """\
[supervisord]
nodaemon=true
pidfile=%(here)s/../run/supervisord.pid
logfile=%(here)s/../log/supervisord.log
"""


@pytest.fixture
def bare(sources: Path, tmp_path: Path) -> Path:
    """A checkout in which nothing was installed yet."""
    return clone(sources, tmp_path / "bare")


def test_two_first_commands_at_once_install_once(first_use: FirstUse) -> None:
    assert [code for code, _, _ in first_use.outcomes] == [0, 0]
    messages = "".join(stderr for _, _, stderr in first_use.outcomes)
    assert messages.count("install the Python packages") == 1


def test_installing_on_the_way_leaves_stdout_to_the_command(first_use: FirstUse) -> None:
    for _, stdout, _ in first_use.outcomes:
        assert stdout.startswith("supervisorctl")


def test_what_is_installed_is_what_is_pinned(first_use: FirstUse) -> None:
    frozen = run(first_use.tree / ".venv/bin/python", "-m", "pip", "freeze", "--all").stdout
    pinned = (first_use.tree / "requirements.txt").read_text()

    def packages(text: str) -> set[str]:
        names = re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)
        return {re.sub(r"[-_.]+", "-", name.split("==")[0]).lower() for name in names}

    assert packages(frozen) - {"pip"} == packages(pinned)


def test_no_process_pays_for_site_hooks(first_use: FirstUse) -> None:
    assert not list((first_use.tree / ".venv").rglob("site-packages/*.pth"))


def test_a_second_run_does_nothing(tree: Path) -> None:
    before = snapshot(tree)
    done = run(tree / "install.sh")
    assert done.returncode == 0
    assert done.stdout.endswith("Nothing to do.\n")
    assert snapshot(tree) == before


def test_quiet_says_nothing_where_nothing_is_done(tree: Path) -> None:
    done = run(tree / "install.sh", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(bare: Path) -> None:
    before = snapshot(bare)
    done = run(bare / "install.sh", "--dry-run")
    assert done.returncode == 0
    assert "would install the Python packages" in done.stdout
    assert snapshot(bare) == before


def test_changed_requirements_are_installed(tree: Path) -> None:
    pinned = tree / "requirements.txt"
    pinned.write_text(pinned.read_text() + "# one more line\n")
    done = run(tree / "install.sh")
    assert "install the Python packages" in done.stdout
    assert (tree / ".venv" / "requirements.txt").read_text() == pinned.read_text()


def test_packages_that_cannot_be_installed_leave_no_stamp(tree: Path) -> None:
    (tree / "requirements.txt").write_text("./no-such-folder\n")
    done = run(tree / "install.sh")
    assert done.returncode == 1
    assert "this failed: " in done.stderr
    assert not (tree / ".venv" / "requirements.txt").exists()


def test_a_package_that_is_not_the_one_pinned_is_not_installed(tree: Path) -> None:
    for there in (tree / ".venv").glob("lib/python*/site-packages/paho*"):
        shutil.rmtree(there)
    pinned = tree / "requirements.txt"
    # One of them is enough to be refused, and one is all that has to be fetched then.
    one = re.search(r"^paho-mqtt==(?:.*\\\n)+.*\n", pinned.read_text(), re.MULTILINE)
    assert one
    pinned.write_text(re.sub(r"(?<=sha256:)[0-9a-f]{8}", "0" * 8, one[0]))
    done = run(tree / "install.sh")
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tree / ".venv" / "requirements.txt").exists()


def test_without_apt_it_prints_the_one_line_to_run(tree: Path, tmp_path: Path) -> None:
    before = snapshot(tree)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "readlink", "flock", "python3", "cmp"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    done = run(tree / "install.sh", PATH=str(tools))
    assert done.returncode == 6
    assert re.search(
        r"^ *sudo apt-get install -y --no-install-recommends .*mosquitto-clients.*$",
        done.stderr,
        re.MULTILINE,
    )
    assert snapshot(tree) == before


def test_somebody_elses_checkout_is_left_alone(bare: Path) -> None:
    bare.chmod(0o555)
    try:
        before = snapshot(bare)
        done = run(*AS_NOBODY, bare / "bin" / "evcs", "status")
        assert done.returncode == 6
        assert len(done.stderr.splitlines()) == 2
        assert "not yours to write to" in done.stderr
        assert snapshot(bare) == before
    finally:
        bare.chmod(0o755)


def test_it_names_the_port_that_another_program_holds(tree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        done = run(tree / "install.sh", EVCS_MQTT_PORT=port)
    assert done.returncode == 0
    assert f"holds port {port}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-thing"], ["--purge"], ["--system", "--dev"], ["surplus"]],
    ids=" ".join,
)
def test_a_wrong_use_changes_nothing(bare: Path, arguments: list[str]) -> None:
    before = snapshot(bare)
    done = run(bare / "install.sh", *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert snapshot(bare) == before


def test_help(sources: Path) -> None:
    done = run(sources / "install.sh", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: install.sh")


def use(home: Path) -> set[str]:
    """What a system that ran once leaves in its home."""
    left = ["data/registry.json", "data/secrets/inspector", "log/web.log", "run/some.pid"]
    left += ["conf/supervisord.d/X.conf", "conf/evcs.toml"]
    for name in left:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("left behind\n")
    return set(left)


def test_uninstall_keeps_the_data(tree: Path) -> None:
    left = use(tree)
    done = run(tree / "install.sh", "--uninstall")
    assert done.returncode == 0
    assert not (tree / ".venv").exists()
    assert left <= set(snapshot(tree))


def test_purge_leaves_what_a_clone_holds(tree: Path, sources: Path) -> None:
    use(tree)
    done = run(tree / "install.sh", "--uninstall", "--purge")
    assert done.returncode == 0
    assert f"remove {tree}/data/registry.json" in done.stdout
    assert set(snapshot(tree)) == set(snapshot(sources))


def test_a_dry_purge_removes_nothing(tree: Path) -> None:
    use(tree)
    before = snapshot(tree)
    done = run(tree / "install.sh", "--uninstall", "--purge", "--dry-run")
    assert f"would remove {tree}/data/registry.json" in done.stdout
    assert snapshot(tree) == before


def test_a_running_system_is_not_uninstalled(tree: Path) -> None:
    for name in ("run", "log"):
        (tree / name).mkdir()
    conf = tree / "conf" / "supervisord.conf"
    conf.write_text(SUPERVISORD_CONF)
    supervisord = subprocess.Popen(
        [tree / ".venv/bin/python", "-m", "supervisor.supervisord", "-c", conf],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert supervisord.stdout
        assert any("supervisord started" in line for line in supervisord.stdout)
        done = run(tree / "install.sh", "--uninstall", "--purge")
        assert done.returncode == 5
        assert "evcs down" in done.stderr
        assert (tree / ".venv").exists()
    finally:
        supervisord.terminate()
        supervisord.communicate()
    assert run(tree / "install.sh", "--uninstall").returncode == 0
