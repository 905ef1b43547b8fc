"""Both running servers answer as openapi.yaml says, to requests made from it by schemathesis."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system_under_test import ROOT, System, eventually

EXAMPLES = 5

#: The stream never ends, and each wrong link is slowed down: both have tests of their own.
LEFT_OUT = ("/api/v1/events", "/login/{link}")

#: In the address of a back end, which its CP dials: none but this machine.
ANY_HOST = "[A-Za-z0-9.-]+"

#: What a system without others is asked for: any host that has not joined is refused.
HOST_OF_CP, OWN_HOST = '{$ref: "#/components/schemas/HostOfCp"}', "{const: main}"

#: A deletion goes on after its answer (202), and web hears of a new CP a moment later.
NOT_AT_ONCE = "use_after_free,ensure_resource_availability"

#: 503 is an answer as described: while there is no charger there is no gateway to be asked, and the
#: requests delete chargers and make new ones.
REFUSES = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""


@pytest.fixture(scope="module", autouse=True)
def gateway(system: System) -> None:
    """It is there as long as there is a charger; when the last is deleted, REFUSES."""
    topic = "evcs/v1/gateway/main/status"
    system.ok("evcs-cp", "create", "WALL", "--hosting", "ocpp")
    eventually("it is there", lambda: system.retained(topic).get(topic, {}).get("online"))


@pytest.mark.timeout(320)  # 24 s of a processor that others may want, too
@pytest.mark.parametrize("server", ["registry", "web"])
def test_as_described(system: System, tmp_path: Path, server: str) -> None:
    url = system.registry_url if server == "registry" else system.web_url
    (tmp_path / "st.toml").write_text(REFUSES)
    described = tmp_path / "openapi.yaml"
    text = (ROOT / "openapi.yaml").read_text()
    for described_as, here in ((ANY_HOST, "127[.]0[.]0[.]1"), (HOST_OF_CP, OWN_HOST)):
        assert described_as in text
        text = text.replace(described_as, here)
    described.write_text(text)
    left_out = [word for path in LEFT_OUT for word in ("--exclude-path", path)]
    done = subprocess.run(
        [
            ROOT / ".venv" / "bin" / "st", "--config-file", tmp_path / "st.toml", "run",
            described, "--url", url, "--include-tag", server, *left_out,
            "--header", f"Authorization: Bearer {system.token}",
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES),
            "--generation-deterministic", "--exclude-checks", NOT_AT_ONCE,
            "--warnings", "off", "--no-color",
        ],
        cwd=tmp_path, env=system.env, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "No issues found" in done.stdout


def test_the_system_is_whole_after_it(system: System) -> None:
    """Whatever was made and deleted, and by hands that know no host but their own."""
    status, body = system.http("POST", f"{system.registry_url}/api/v1/cps",
                               {"id": "FAR", "host": "far"}, system.token)  # fmt: skip
    assert (status, "host: 'far'" in body["error"]["message"]) == (400, True)
    system.ok("evcs", "up", "--wait")
    found = system.run("evcs", "doctor", "--json").json["checks"]
    assert not [one for one in found if one["level"] == "fail"]
