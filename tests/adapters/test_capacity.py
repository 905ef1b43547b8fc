"""What a machine carries, as far as supervisord's open files go."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from evcs.adapters import broker_listeners, capacity
from evcs.adapters.supervisord import supervisord_pid
from evcs.config import Settings
from evcs.core.errors import NoRoom
from evcs.core.fleet_size import FleetSize
from evcs.home import Home
from tests.system_under_test import eventually


def test_as_many_as_supervisord_has_files_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    settings = Settings(home)
    home.supervisord_pid.parent.mkdir()
    asleep = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", asleep, str(home.supervisord_conf)], stdin=subprocess.PIPE
    ) as one:
        try:
            home.supervisord_pid.write_text(str(one.pid))
            eventually("it is what it is taken for", lambda: supervisord_pid(home), 20)
            files = capacity.FDS_BASE + 10 * capacity.FDS_A_CP
            resource.prlimit(one.pid, resource.RLIMIT_NOFILE, (files, files))
            capacity.check_room(settings, FleetSize(2, 500), FleetSize(8, 5))
            with pytest.raises(NoRoom, match="carries 10 CPs with processes of their own; 11 are"):
                capacity.check_room(settings, FleetSize(2), FleetSize(9))
            capacity.check_room(settings, FleetSize(12), FleetSize(pooled=500))
        finally:
            one.kill()


def test_without_a_supervisord_memory_alone_counts(tmp_path: Path) -> None:
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // capacity.CP_BYTES
    capacity.check_room(Settings(Home(tmp_path)), FleetSize(10**6), FleetSize())
    with pytest.raises(NoRoom, match="memory"):
        capacity.check_room(Settings(Home(tmp_path)), FleetSize(), FleetSize(most + 1))


def test_of_other_hosts_as_many_as_the_broker_has_connections_for(tmp_path: Path) -> None:
    settings = Settings(Home(tmp_path), mqtt_listen="192.0.2.1")
    (settings.home.run / "mosquitto.d").mkdir(parents=True)
    broker_listeners.write(settings, 20_000, 1_000, hosts=2, elsewhere=300)
    most = broker_listeners.bounds(settings.home)[settings.mqtt_tls_port] // 2
    assert most >= 2 * 2 * broker_listeners.CPS_A_HOST
    capacity.check_room(settings, FleetSize(elsewhere=300), FleetSize(elsewhere=most - 300))
    with pytest.raises(NoRoom, match=rf"for {most} CPs of other hosts; {most + 1} are wanted"):
        capacity.check_room(settings, FleetSize(elsewhere=300), FleetSize(elsewhere=most - 299))
