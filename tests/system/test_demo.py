"""`evcs demo`, the first command of the README: in an empty home, and beside a used one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.system_under_test import System


def test_in_an_empty_home(new_system: Callable[..., System]) -> None:
    system = new_system()
    done = system.ok("evcs", "demo")
    assert "3 of 3 came back by themselves" in done.out
    assert done.out.count("settled") == 2
    assert f"http://127.0.0.1:{system.web_port}/" in done.out
    assert "export EVCS_HOME" not in done.out
    assert system.states() == {f"CP-00{n}": "ACTIVATED" for n in (1, 2, 3)}
    assert system.http("GET", f"{system.web_url}/healthz")[0] == 200


def test_beside_a_home_that_is_used(new_system: Callable[..., System], short_tmp: Path) -> None:
    used = new_system()
    used.up()
    used.ok("evcs-cp", "create", "CP-900")
    person = short_tmp / "me"
    person.mkdir()
    other = System(person / "evcs-demo-1")
    try:
        done = used.ok("evcs", "demo", HOME=str(person))
        assert f"export EVCS_HOME={other.home}" in done.out
        assert "3 of 3 came back" in done.out
        # As told: with that home exported, nothing else is needed.
        found = other.ok("evcs-cp", "list", "--json", EVCS_MQTT_PORT="", EVCS_WEB_PORT="",
                         EVCS_REGISTRY_PORT="")  # fmt: skip
        assert len(found.json) == 3
    finally:
        other.down()
    assert used.states() == {"CP-900": "ACTIVATED"}
