"""TLS: what listens beyond 127.0.0.1 serves nothing else, and clients verify what they reach.

127.0.0.2 stands for another address of the machine: it is no listener's default, and no
packet leaves the machine.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evcs.adapters import certificates
from evcs.adapters.wsgi_server import MAX_CONNECTIONS, MAX_OF_ONE_ADDRESS
from evcs.config import load
from evcs.home import Home
from evcs.services.registry.host_api import OWN_DOORS
from evcs.services.web.login_auth import CSRF_HEADER, FOR_ALL
from tests import ports
from tests.system_under_test import System, eventually
from tests.web import test_login_auth, test_registry_login
from tests.web.floods import keep_asking
from tests.web.stage import AT_ONCE_S, page_token

ELSEWHERE = "127.0.0.2"
EVERYWHERE = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}
EVERYTHING = f'[mqtt]\nlisten = "{ELSEWHERE}"\ntls = "always"\n[http]\nlisten = "{ELSEWHERE}"\n'


def configured(new_system: Callable[..., System], text: str, **kwargs: float) -> System:
    """A system with that conf/evcs.toml, not started."""
    system = new_system(**kwargs)
    (system.home / "conf").mkdir(parents=True)
    (system.home / "conf" / "evcs.toml").write_text(text)
    system.env["EVCS_MQTT_TLS_PORT"] = str(ports.free(1)[0])
    return system


def tls_port(system: System) -> int:
    return int(system.env["EVCS_MQTT_TLS_PORT"])


def ca(system: System) -> Path:
    return Home(system.home).ca


@pytest.fixture(scope="module")
def secured(new_system: Callable[..., System]) -> System:
    """Everything over TLS, one CP and one driver."""
    system = configured(new_system, EVERYTHING)
    system.ok("evcs", "tls", "init")
    system.up()
    system.ok("evcs-cp", "create", "CP-001")
    system.ok("evcs", "driver", "add", "ALICE")
    return system


def listeners(system: System) -> list[tuple[str, int]]:
    return [
        ("127.0.0.1", system.mqtt_port),
        (ELSEWHERE, tls_port(system)),
        (ELSEWHERE, system.web_port),
        (ELSEWHERE, system.registry_port),
    ]


def serial(address: tuple[str, int], context: ssl.SSLContext) -> str:
    """The serial number of the certificate that a listener shows. Raises ssl.SSLError."""
    with (
        socket.create_connection(address, 10) as raw,
        context.wrap_socket(raw, server_hostname=address[0]) as wrapped,
    ):
        return str((wrapped.getpeercert() or {}).get("serialNumber"))


def trusting(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(path))


def get(
    system: System, port: int, path: str, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One GET over TLS."""
    connection = http.client.HTTPSConnection(
        ELSEWHERE, port, timeout=10, context=trusting(ca(system))
    )
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def subscribe(system: System, port: int, *args: str, host: str = ELSEWHERE) -> Any:
    """mosquitto_sub as inspector, for one message."""
    return subprocess.run(
        ["mosquitto_sub", "-h", host, "-p", str(port), "-u", "inspector", "-P",
         system.secret("inspector"), "-t", "evcs/v1/central/status", "-C", "1", "-W", "5", *args],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        f'[mqtt]\nlisten = "{ELSEWHERE}"\n',
        f'[http]\nlisten = "{ELSEWHERE}"\n',
        '[mqtt]\ntls = "always"\n',
        '[http]\ntls = "always"\n',
    ],
)
def test_without_a_certificate_nothing_starts(new_system: Callable[..., System], text: str) -> None:
    system = configured(new_system, text)
    done = system.run("evcs", "up")
    assert done.code == 1
    assert "evcs tls init" in done.err
    assert not system.stray_pids()


def test_init_makes_it_once_and_closes_the_keys(new_system: Callable[..., System]) -> None:
    system = configured(new_system, f'[http]\nlisten = "{ELSEWHERE}"\nname = "Evcs.example.org"\n')
    first = system.ok("evcs", "tls", "init", "--name", "192.0.2.7", "--json").json
    assert first["made"]
    wanted = {ELSEWHERE, "127.0.0.1", "localhost", "::1", "evcs.example.org", "192.0.2.7"}
    assert set(first["names"]) == wanted
    again = system.ok("evcs", "tls", "init", "--json").json
    assert again == {**first, "made": False}
    renewed = system.ok("evcs", "tls", "init", "--renew", "--json").json
    assert renewed["made"]
    assert set(renewed["names"]) == wanted
    for path in (system.home / "data" / "secrets" / "tls").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in ca(system).read_text()
    assert system.run("evcs", "tls", "init", "--name", "no name!").code == 2


@pytest.mark.parametrize("listen", EVERYWHERE)
def test_what_a_charger_dials_is_this_machine_and_in_its_certificate(
    new_system: Callable[..., System], listen: str
) -> None:
    system = configured(new_system, f'[ocpp]\nlisten = "{listen}"\n')
    names = system.ok("evcs", "tls", "init", "--json").json["names"]
    host = load({"EVCS_HOME": str(system.home)}).ocpp_name
    assert host in names
    with socket.create_server((host, 0), family=EVERYWHERE[listen]):
        pass  # so it is an address of this machine
    routes = [row.split()[1] for row in Path("/proc/net/route").read_text().splitlines()]
    if EVERYWHERE[listen] == socket.AF_INET and "00000000" in routes:
        assert not host.startswith("127."), "it has one that others reach"


def test_a_certificate_from_elsewhere_is_left_alone(new_system: Callable[..., System]) -> None:
    system = configured(new_system, EVERYTHING)
    system.ok("evcs", "tls", "init")
    (system.home / "data" / "secrets" / "tls" / "ca.pem").unlink()
    before = certificates.server(Home(system.home)).read_bytes()
    done = system.run("evcs", "tls", "init", "--renew")
    assert done.code == 5
    assert "server.pem" in done.err
    assert certificates.server(Home(system.home)).read_bytes() == before


def test_all_works_over_tls_alone(secured: System) -> None:
    done = secured.ok("evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "1")
    assert "ticket" in done.out
    assert secured.ok("evcs", "status", "--check").code == 0
    assert (
        secured.ok("evcs", "open", "--json", "--no-browser")
        .json["url"]
        .startswith(f"https://{ELSEWHERE}:{secured.web_port}/login/")
    )
    # Each connection held for the whole of the charge: none was lost and made anew.
    for log in sorted((secured.home / "log").glob("CP-001.*.log")):
        assert "bus:" not in log.read_text()


def test_an_engine_that_dies_comes_back_over_tls(secured: System) -> None:
    secured.ok("evcs-cp", "kill", "CP-001", "engine")
    secured.wait_for_state("CP-001", "ACTIVATED")


@pytest.mark.parametrize("index", range(4))
def test_older_versions_are_refused(secured: System, index: int) -> None:
    host, port = listeners(secured)[index]
    for version, good in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"{host}:{port}", version, "-CAfile",
             str(ca(secured)), "-verify_return_error", "-cipher", "DEFAULT@SECLEVEL=0"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20,
        )  # fmt: skip
        assert (done.returncode == 0) == good, (version, done.stdout[-500:], done.stderr[-500:])


def test_plain_mqtt_gets_nowhere(secured: System) -> None:
    for host, port in listeners(secured)[:2]:
        done = subscribe(secured, port, host=host)
        assert done.returncode != 0
        assert done.stdout == ""
        told = subscribe(secured, port, "--cafile", str(ca(secured)), host=host)
        assert json.loads(told.stdout)["online"], told


def test_plain_http_gets_nowhere(secured: System) -> None:
    for address in listeners(secured)[2:]:
        with socket.create_connection(address, 10) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")
            answer = b""
            with suppress(ConnectionError):
                while part := raw.recv(4096):
                    answer += part
        assert b"HTTP/" not in answer
        assert b"ok" not in answer


def test_a_client_that_says_nothing_holds_nobody_up(secured: System) -> None:
    silent = [socket.create_connection(listeners(secured)[2], 10) for _ in range(100)]
    try:
        assert get(secured, secured.web_port, "/healthz")[0] == 200
    finally:
        for one in silent:
            one.close()


def test_a_handshake_that_takes_for_ever_is_cut_off(secured: System) -> None:
    host, port = listeners(secured)[2]
    with socket.create_connection((host, port), 5) as slow:
        began = time.monotonic()
        slow.sendall(b"\x16\x03\x01\x02")  # a ClientHello's first bytes, then one now and then
        slow.settimeout(1.0)
        while time.monotonic() - began < 30:
            try:
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                slow.sendall(b"\0")
            except ConnectionError:
                break
        assert time.monotonic() - began < 20


def test_handshakes_that_never_begin_make_way(secured: System) -> None:
    host, port = listeners(secured)[2]
    many = MAX_CONNECTIONS + 400
    with keep_asking(port, many + 100, b"", 0.1, host):
        eventually("they are too many", lambda: _connections_to(port) > many, 20)
        for _ in range(5):
            began = time.monotonic()
            assert get(secured, port, "/healthz")[0] == 200
            assert time.monotonic() - began < AT_ONCE_S


def _connections_to(port: int) -> int:
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_one_address_takes_only_its_share_of_connections(secured: System) -> None:
    host, port = listeners(secured)[2]
    with ExitStack() as stack:
        for _ in range(MAX_OF_ONE_ADDRESS):
            stack.enter_context(socket.create_connection((host, port), 5, ("127.0.0.3", 0)))
        more = stack.enter_context(socket.create_connection((host, port), 5, ("127.0.0.3", 0)))
        with pytest.raises(OSError, match=r".*"):
            trusting(ca(secured)).wrap_socket(more, server_hostname=host)
        assert get(secured, secured.web_port, "/healthz")[0] == 200


def test_who_signs_out_sees_no_more(secured: System) -> None:
    url = secured.ok("evcs", "open", "--json", "--no-browser").json["url"]
    _, headers, body = get(secured, secured.web_port, url.partition(str(secured.web_port))[2])
    cookie = headers["Set-Cookie"].partition(";")[0]
    connection = http.client.HTTPSConnection(
        ELSEWHERE, secured.web_port, timeout=20, context=trusting(ca(secured))
    )
    connection.request("GET", "/api/v1/events", headers={"Cookie": cookie})
    stream = connection.getresponse()
    assert stream.status == 200
    other = http.client.HTTPSConnection(
        ELSEWHERE, secured.web_port, timeout=10, context=trusting(ca(secured))
    )
    other.request(
        "POST", "/api/v1/logout", headers={"Cookie": cookie, CSRF_HEADER: page_token(body)}
    )
    assert other.getresponse().status == 200
    other.close()
    stream.read()  # it ends; else this would run into its time-out
    connection.close()
    assert get(secured, secured.web_port, "/api/v1/cps", Cookie=cookie)[0] == 401


def test_from_elsewhere_only_the_operator_may_look(secured: System) -> None:
    bearer = {"Authorization": f"Bearer {secured.token}"}
    for port in (secured.web_port, secured.registry_port):
        assert get(secured, port, "/api/v1/cps")[0] == 401
        assert get(secured, port, "/api/v1/cps", Authorization="Bearer guess")[0] == 401
        assert get(secured, port, "/api/v1/cps", **bearer)[0] == 200
        assert get(secured, port, "/api/v1/cps", Host="evil.example", **bearer)[0] == 400
        assert get(secured, port, "/healthz")[0] == 200


def test_no_route_shows_anything_to_others(secured: System) -> None:
    """Every route of both apps: without a token a look is refused, people are told the way in."""
    routes = [(secured.web_port, path) for path in test_login_auth.READING]
    routes += [(secured.registry_port, path) for path in test_registry_login.READING]
    assert len(routes) > 15
    for port, path in routes:
        if path.startswith(FOR_ALL):
            continue
        status, _, body = get(secured, port, path)
        assert status == 401, path
        if path not in OWN_DOORS:
            assert b"evcs open" in body or b"operator.token" in body, path
        assert b"ALICE" not in body


def test_the_link_of_open_lets_a_browser_look(secured: System) -> None:
    url = secured.ok("evcs", "open", "--json", "--no-browser").json["url"]
    status, headers, _ = get(secured, secured.web_port, url.partition(str(secured.web_port))[2])
    assert status == 200
    cookie = headers["Set-Cookie"]
    assert "secure" in cookie.lower()
    cookie = cookie.partition(";")[0]
    assert get(secured, secured.web_port, "/", Cookie=cookie)[0] == 200
    assert get(secured, secured.web_port, "/api/v1/cps", Cookie=cookie)[0] == 200


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    """The certificate of a CA that isn't ours."""
    home = Home(tmp_path)
    certificates.make_authority(home)
    return home.ca


def test_a_wrong_ca_is_refused_by_every_client(secured: System, other_ca: Path) -> None:
    for address in listeners(secured):
        with pytest.raises(ssl.SSLCertVerificationError):
            serial(address, trusting(other_ca))
        assert serial(address, trusting(ca(secured)))
    kept = ca(secured).read_bytes()
    try:
        shutil.copy(other_ca, ca(secured))
        for command in (
            ["evcs-cp", "list"],
            ["evcs", "open"],
        ):
            done = secured.run(*command)
            assert done.code == 6, done
            assert "certificate" in done.err
            assert "Traceback" not in done.err
        # The bus is reached over a socket that only this home's owner can make.
        secured.ok("supervisorctl", "restart", "CP-001:engine")
        charge = ["charge", "CP-001", "--driver", "ALICE", "--kwh", "1"]
        eventually("it charges", lambda: secured.run("evcs-driver", *charge).code == 0)
    finally:
        ca(secured).write_bytes(kept)


def test_a_renewed_certificate_touches_no_cp(secured: System) -> None:
    charge = secured.spawn(
        "evcs-driver", "charge", "CP-001", "--driver", "ALICE", "--kwh", "10", "--json"
    )
    secured.wait_for_state("CP-001", "SUPPLYING")
    pids, context = secured.processes(), trusting(ca(secured))
    before = [serial(address, context) for address in listeners(secured)]
    with secured.listening("evcs/v1/cp/CP-001/+/status") as births:
        secured.ok("evcs", "tls", "init", "--renew")

        def renewed() -> bool:
            now = [serial(address, context) for address in listeners(secured)]
            return all(new != old for new, old in zip(now, before, strict=True))

        eventually("all show the new one", renewed)
    assert secured.processes() == pids
    # Retained at the start, one of each process; nobody came anew.
    assert len(births) == 2, births
    out, err = charge.communicate(timeout=60)
    assert charge.returncode == 0, err
    ticket = json.loads(out.splitlines()[-1])
    assert ticket["energy_wh"] == 10_000


def test_a_key_of_another_certificate_is_named_and_mended(
    new_system: Callable[..., System], tmp_path: Path
) -> None:
    system = configured(new_system, EVERYTHING)
    system.ok("evcs", "tls", "init")
    path = certificates.server(Home(system.home))
    key, _, certificate = path.read_text().partition("-----BEGIN CERTIFICATE")
    certificates.make_authority(Home(tmp_path))
    certificates.make_server(Home(tmp_path), {"localhost"})
    other = certificates.server(Home(tmp_path)).read_text().partition("-----BEGIN CERT")[0]
    for broken in (f"{other}-----BEGIN CERTIFICATE{certificate}", key, ""):
        path.write_text(broken)
        done = system.run("evcs", "up")
        assert (done.code, "evcs tls init" in done.err) == (1, True), done
        found = {x["check"]: x for x in system.run("evcs", "doctor", "--json").json["checks"]}
        assert found["certificates"]["level"] == "fail"
        assert system.ok("evcs", "tls", "init", "--json").json["made"]
    # One of another CA, whose key we don't have in use any more, is no certificate of ours.
    path.write_bytes(certificates.server(Home(tmp_path)).read_bytes())
    assert system.ok("evcs", "tls", "init", "--json").json["made"]


def test_an_expired_certificate_is_refused_and_named(new_system: Callable[..., System]) -> None:
    system = configured(new_system, EVERYTHING)
    system.ok("evcs", "tls", "init")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    then = "2025-01-01 00:00:00"
    system.ok("evcs", "tls", "init", "--renew", LD_PRELOAD=str(library), FAKETIME=then)
    try:
        done = system.run("evcs", "up")
        assert done.code == 0
        assert "ended on 2026-" in done.err
        for address in listeners(system):
            eventually("listens", partial(listens, address))
            with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
                serial(address, trusting(ca(system)))
        listed = system.run("evcs-cp", "list")
        assert listed.code == 6
        assert "expired" in listed.err
        doctor = system.run("evcs", "doctor", "--json")
        assert doctor.code == 1
        [found] = [one for one in doctor.json["checks"] if one["check"] == "certificates"]
        assert found["level"] == "fail"
        # Mended as it runs, by what doctor says.
        system.ok("evcs", "tls", "init")
        eventually("all are back", lambda: system.run("evcs-cp", "list").code == 0)
        eventually("central is back", lambda: system.run("evcs", "status", "--check").code == 0)
    finally:
        system.down()


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def test_loopback_stays_plain_where_only_the_rest_needs_tls(
    new_system: Callable[..., System],
) -> None:
    system = configured(new_system, f'[mqtt]\nlisten = "{ELSEWHERE}"\n')
    system.ok("evcs", "tls", "init")
    try:
        system.up()
        assert json.loads(subscribe(system, system.mqtt_port, host="127.0.0.1").stdout)["online"]
        told = subscribe(system, tls_port(system), "--cafile", str(ca(system)))
        assert json.loads(told.stdout)["online"]
        assert subscribe(system, tls_port(system)).returncode != 0
        assert system.http("GET", f"{system.web_url}/api/v1/cps") == (200, [])
        assert not listens((ELSEWHERE, system.web_port))
        assert not listens((ELSEWHERE, system.mqtt_port))
        # Nobody without a password, also with TLS.
        refused = subprocess.run(
            ["mosquitto_sub", "-h", ELSEWHERE, "-p", str(tls_port(system)), "-t", "#", "-C", "1",
             "-W", "5", "--cafile", str(ca(system))],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert "not authorised" in refused.stderr.lower()
    finally:
        system.down()


@contextmanager
def relay(goal: tuple[str, int], seen: bytearray) -> Iterator[int]:
    """A port that passes one connection on to `goal`; what goes by is added to `seen`."""

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(4096):
                seen.extend(part)
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            near, _ = door.accept()
            with near, socket.create_connection(goal, 10) as far:
                back = threading.Thread(target=pass_on, args=(far, near))
                back.start()
                pass_on(near, far)
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield door.getsockname()[1]
        thread.join()


def test_the_wire_shows_nothing_readable(new_system: Callable[..., System]) -> None:
    """What a listener on the way sees, by standing on the way."""
    system = configured(new_system, EVERYTHING)
    system.ok("evcs", "tls", "init")
    try:
        system.up()
        seen = bytearray()
        with relay((ELSEWHERE, tls_port(system)), seen) as port:
            done = subscribe(system, port, "--cafile", str(ca(system)), "--insecure",
                             host="127.0.0.1")  # fmt: skip
        assert json.loads(done.stdout)["online"]
        assert len(seen) > 500
        for word in (b"inspector", system.secret("inspector").encode(), b"evcs/v1", b"online"):
            assert word not in seen
    finally:
        system.down()
