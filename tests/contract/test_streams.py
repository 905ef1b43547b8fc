"""Commands that go on until Ctrl-C, and those that look back: watch, list --watch, logs."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system_under_test import ROOT, System, eventually


@pytest.fixture(scope="module")
def fleet(new_system: Callable[..., System]) -> System:
    system = new_system()
    system.up()
    system.ok("evcs-cp", "create", "CP-001", "CP-002")
    system.ok("evcs", "driver", "add", "ALICE")
    return system


@contextlib.contextmanager
def stream(system: System, program: str, *args: str) -> Iterator[list[str]]:
    """The lines of a command while it runs; Ctrl-C ends it, without a traceback."""
    process = system.spawn(program, *args)
    lines: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        reader.join(10)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def has(lines: list[str], *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in line for word in words) for line in list(lines))


def test_watch_shows_who_says_what(fleet: System) -> None:
    with stream(fleet, "evcs", "watch") as lines:
        eventually("the present state", has(lines, "central", "CP-001 state", "ACTIVATED"), 20)
        fleet.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "0.1")
        eventually("the ticket", has(lines, "ALICE event", "event=ticket"), 20)
    assert has(lines, "driver ALICE", "request", "verb=charge", "cp=CP-001")()
    assert has(lines, "CP-001 engine", "session", "event=started")()
    (supplying,) = (line for line in lines if "state=SUPPLYING" in line)
    assert "revision" not in supplying  # what did not change


def test_watch_filters(fleet: System) -> None:
    with stream(fleet, "evcs", "watch", "--cp", "CP-002", "--new", "--raw") as lines:
        fleet.ok("evcs-cp", "edit", "CP-001", "--price-eur-kwh", "0.31")

        def edited() -> bool:
            fleet.ok("evcs-cp", "fault", "CP-002")
            fleet.ok("evcs-cp", "clear", "CP-002")
            return has(lines, "central/cp/CP-002/state", "BROKEN_DOWN")()

        eventually("what comes", edited, 30)
    for line in lines:
        topic, _, payload = line.partition(" ")
        assert "CP-002" in line
        assert topic.startswith("evcs/v1/")
        assert isinstance(json.loads(payload), dict)


def test_watch_json(fleet: System) -> None:
    with stream(fleet, "evcs", "watch", "--json") as lines:
        eventually("summary", has(lines, "central/summary"), 20)
    rows = [json.loads(line) for line in lines]
    assert all(set(row) == {"at", "topic", "payload", "retained"} for row in rows)


def test_watch_goes_on_after_the_broker_was_away(fleet: System) -> None:
    with stream(fleet, "evcs", "watch", "--cp", "CP-001") as lines:
        eventually("the present state", has(lines, "CP-001 state", "ACTIVATED"), 20)
        fleet.ok("supervisorctl", "restart", "mosquitto")
        fleet.wait_for_state("CP-001", "ACTIVATED")
        fleet.ok("evcs-cp", "fault", "CP-001", "--reason", "after-it")
        eventually("what came later", has(lines, "CP-001 state", "after-it"), 20)
        fleet.ok("evcs-cp", "clear", "CP-001")


def test_what_others_wrote_does_not_steer_the_terminal(fleet: System) -> None:
    with stream(fleet, "evcs", "watch", "--new") as lines:

        def said() -> bool:
            subprocess.run(
                ["mosquitto_pub", "-p", str(fleet.mqtt_port), "-u", "driver/ALICE", "-P",
                 fleet.secret("driver/ALICE"), "-t", "evcs/v1/driver/ALICE/request", "-m",
                 json.dumps({"verb": "\x1b[2J\n", "id": "1"})],
                check=True, timeout=10,
            )  # fmt: skip
            return has(lines, "driver ALICE")()

        eventually("said", said, 20, every_s=0.5)
    assert "\x1b[2J" not in "".join(lines)


def test_list_watch_tells_each_change(fleet: System) -> None:
    with stream(fleet, "evcs-cp", "list", "--watch") as lines:
        eventually("all at first", lambda: len(lines) >= 2, 20)
        fleet.ok("evcs-cp", "stop", "CP-002")
        eventually("the change", has(lines, "CP-002", "OUT_OF_ORDER"), 20)
        fleet.ok("evcs-cp", "resume", "CP-002")
    with stream(fleet, "evcs-cp", "list", "--watch", "--json", "--state", "activated") as lines:
        eventually("both", lambda: len(lines) >= 2, 20)
    assert {json.loads(line)["state"] for line in lines} == {"ACTIVATED"}


def test_logs_of_several_and_since(fleet: System) -> None:
    folder = fleet.home / "log"
    (folder / "central.log.1").write_text("2020-01-01T00:00:00.000Z INFO central old\n")
    old = "2020-01-01T00:00:01.000Z INFO central a\n  more of it\n"
    new = "2099-01-01T00:00:00.000Z INFO central b\n  more of that\n"
    (folder / "trial.log").write_text(old + new)
    both = fleet.ok("evcs", "logs", "central", "registry", "-n", "1").out.splitlines()
    assert sorted(line.split()[0] for line in both) == ["central", "registry"]
    assert fleet.ok("evcs", "logs", "trial", "--since", "2098-12-31").out == new
    assert fleet.ok("evcs", "logs", "trial", "--since", "1h").out == new
    assert fleet.ok("evcs", "logs", "trial", "--since", "2019-01-01").out == old + new
    found = fleet.ok("evcs", "logs", "central", "--since", "2019-01-01").out
    assert found.startswith("2020-01-01T00:00:00.000Z INFO central old\n")
    broker = fleet.ok("evcs", "logs", "mosquitto", "--since", "2019-01-01", "--json").out
    assert len(broker.splitlines()) > 5
    assert fleet.ok("evcs", "logs", "mosquitto", "--since", "2098-01-01").out == ""
    assert fleet.ok("evcs", "logs", "supervisord", "--since", "1h").out
    assert fleet.run("evcs", "logs", "--since", "soon").code == 2
    rows = fleet.ok(
        "evcs", "logs", "mosquitto", "supervisord", "trial", "registry"
    ).out.splitlines()
    times = [at[0] for row in rows if (at := re.search(r"\d{4}-\S+Z", row))]
    assert times == sorted(times)
    assert rows[-1].split(maxsplit=1) == ["trial", "more of that"]
    (folder / "trial.log").unlink()
    with stream(fleet, "evcs", "logs", "registry", "-f", "-n", "0") as lines:

        def came() -> bool:
            fleet.ok("evcs-cp", "create", "CP-003", "--if-not-exists", "--no-wait")
            fleet.ok("evcs-cp", "delete", "CP-003")
            return has(lines, "cp=CP-003")()

        eventually("its line", came, 30)


def _said(second: int, who: str, text: str) -> str:
    return f"2026-11-30T10:00:{second:02}.000Z INFO {who} {text}\n"


def test_a_cps_log_is_its_own_lines_whichever_its_hosting(fleet: System) -> None:
    pool, own = (fleet.home / "log" / f"{name}.engine{more}.log"
                 for name, more in (("_pool-7", "s"), ("MOVED", "")))  # fmt: skip
    pool.with_name(f"{pool.name}.1").write_text(_said(1, "MOVED engine", "a"))
    pool.write_text(_said(3, "MOVED engine", "c") + _said(4, "OTHER engine", "MOVED engine no"))
    (fleet.home / "log" / "_pool-7.monitors.log").write_text(_said(2, "MOVED monitor", "b"))
    moved = [_said(1, "MOVED engine", "a"), _said(3, "MOVED engine", "c")]
    assert fleet.ok("evcs", "logs", "MOVED.engine").out == "".join(moved)
    both = fleet.ok("evcs", "logs", "MOVED").out.splitlines()
    assert [line.split()[0] for line in both] == ["MOVED.engine", "MOVED.monitor", "MOVED.engine"]
    own.write_text(_said(2, "MOVED engine", "b") + "more of it\n")
    found = fleet.ok("evcs", "logs", "MOVED:engine", "--json").out.splitlines()
    assert [json.loads(line)["line"].split(" ")[-1] for line in found] == ["a", "b", "it", "c"]
    assert {json.loads(line)["program"] for line in found} == {"MOVED.engine"}
    assert fleet.ok("evcs", "logs", "MOVED.engine", "-n", "1").out == moved[-1]
    since = fleet.ok("evcs", "logs", "MOVED.engine", "--since", "2026-11-30T10:00:02Z").out
    assert [line.split(" ")[-1] for line in since.splitlines()] == ["b", "it", "c"]
    assert "OTHER" in fleet.ok("evcs", "logs", "_pool-7").out
    assert fleet.ok("evcs", "logs", "OTHER").out == _said(4, "OTHER engine", "MOVED engine no")
    assert fleet.run("evcs", "logs", "NOBODY").code == 4
    own.unlink()
    with stream(fleet, "evcs", "logs", "MOVED.engine", "-f", "-n", "1") as lines:
        eventually("what is there", has(lines, "MOVED engine c"), 20)
        with pool.open("a") as file:
            file.write(_said(5, "OTHER engine", "no") + _said(6, "MOVED engine", "d"))
        eventually("what is said in the pool", has(lines, "MOVED engine d"), 20)
        own.write_text(_said(7, "MOVED engine", "e"))
        eventually("what is said elsewhere", has(lines, "MOVED engine e"), 20)
    assert not any("OTHER" in line for line in lines)
    for path in (fleet.home / "log").glob("*_pool-7.*"):
        path.unlink()
    own.unlink()


def test_config_show_names_origins(fleet: System) -> None:
    (fleet.home / "conf" / "evcs.toml").write_text("time_scale = 2\nweb_port = 9\n")
    found = {one["setting"]: one for one in fleet.ok("evcs", "config", "show", "--json").json}
    (fleet.home / "conf" / "evcs.toml").unlink()
    assert found["home"] == {
        "setting": "home", "value": str(fleet.home), "origin": "environment: EVCS_HOME",
    }  # fmt: skip
    assert found["web_port"]["value"] == fleet.web_port
    assert found["host"]["origin"] == "default"
    (fleet.home / "conf" / "evcs.toml").write_text("time_scale = 2\n")
    found = {
        one["setting"]: one
        for one in fleet.ok("evcs", "config", "show", "--json", EVCS_TIME_SCALE="").json
    }
    (fleet.home / "conf" / "evcs.toml").unlink()
    assert found["time_scale"]["value"] == 2
    assert found["time_scale"]["origin"].endswith("conf/evcs.toml")


def test_completion(fleet: System) -> None:
    for shell in ("bash", "zsh", "fish"):
        text = fleet.ok("evcs", "completion", shell).out
        assert all(f"_{name}_COMPLETE" in text for name in ("EVCS", "EVCS_CP", "EVCS_DRIVER"))
    assert fleet.run("evcs", "completion", "csh").code == 2


BASH = """
. <(evcs completion bash)
COMP_WORDS=(evcs-cp edit CP-00); COMP_CWORD=2
_evcs_cp_completion evcs-cp; printf "%s\\n" "${COMPREPLY[@]}"
COMP_WORDS=(evcs doc); COMP_CWORD=1; COMPREPLY=()
_evcs_completion evcs; printf "%s\\n" "${COMPREPLY[@]}"
COMP_WORDS=(evcs --json sto); COMP_CWORD=2; COMPREPLY=()
_evcs_completion evcs; printf "%s\\n" "${COMPREPLY[@]}"
"""
FISH = """
evcs completion fish | source
complete -C 'evcs-cp edit CP-00'
complete -C 'evcs doc' | string match -r '^[a-z]+'
complete -C 'evcs --json sto' | string match -r '^[a-z]+'
"""
#: zsh completes only at a terminal: one of its own, where tabs are typed.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; autoload -Uz compinit; compinit -u -D'
zpty -w shell 'source <(evcs completion zsh); print SET-${:-UP}'
zpty -r shell said '*SET-UP*'
zpty -w -n shell $'evcs-cp edit CP-00\t\t'
zpty -r shell said '*CP-001*CP-002*'
print CP-001 CP-002
zpty -w -n shell $'\C-uevcs doc\t'
zpty -r shell said '*doctor*'
print doctor
zpty -w -n shell $'\C-uevcs --json sto\t'
zpty -r shell said '*stop*'
print stop
zpty -d shell
"""


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("fish", FISH), ("zsh", ZSH)])
def test_a_shell_completes(fleet: System, tmp_path: Path, shell: str, script: str) -> None:
    path = tmp_path / "script"
    path.write_text(script)
    env = {**fleet.env, "PATH": f"{ROOT}/bin:{fleet.env['PATH']}", "HOME": str(tmp_path),
           "TERM": "dumb"}  # fmt: skip
    done = subprocess.run([shell, path], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["CP-001", "CP-002", "doctor", "stop"], done


def test_a_stop_that_has_to_wait_says_so_and_may_be_left(fleet: System) -> None:
    fleet.ok("evcs", "driver", "add", "BERT")
    began = fleet.ok("evcs-driver", "charge", "CP-002", "--driver", "BERT", "--no-watch", "--json")
    fleet.ok("supervisorctl", "stop", "CP-002:engine")
    stop = fleet.spawn("evcs-driver", "stop", "--driver", "BERT")
    assert stop.stderr is not None
    assert stop.stderr.readline() == "CP-002 is told to end it; its ticket comes once it has\n"
    stop.send_signal(signal.SIGINT)
    assert stop.wait(10) == 130
    assert "evcs-driver history --driver BERT" in stop.stderr.read()
    fleet.ok("supervisorctl", "start", "CP-002:engine")

    def ticket() -> bool:
        (found,) = fleet.ok("evcs-driver", "history", "--driver", "BERT", "--json").json
        assert found["session_id"] == began.json["session_id"]
        return bool(found["state"] == "settled")

    eventually("the ticket", ticket, 30)
