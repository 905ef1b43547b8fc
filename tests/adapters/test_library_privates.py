"""What we override or repeat of libraries, and is not theirs to keep: unchanged since we looked.

Other tests hold what comes of it. These fail at a version of a library that has other code there,
however it behaves: look at the module that is named, then note the new digest.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from gevent import events
from gevent.baseserver import BaseServer
from gevent.monkey import _util
from gevent.pywsgi import Input, WSGIHandler
from gevent.server import StreamServer
from paho.mqtt.client import Client
from supervisor import events as supervisor_events
from supervisor import supervisord
from supervisor.options import ProcessConfig, ServerOptions, UnhosedConfigParser
from supervisor.poller import PollPoller
from supervisor.process import Subprocess
from supervisor.supervisord import Supervisor
from websockets.asyncio.connection import Connection
from websockets.asyncio.messages import Assembler
from websockets.asyncio.server import ServerConnection

LOOKED_AT: dict[str, tuple[tuple[Callable[..., Any], str], ...]] = {
    "gevent_patch.py": (
        (events.notify_and_call_entry_points, "32bb7797128b"),
        (_util._notify_patch, "830b2bc1ca3c"),
    ),
    "mqtt_client.py": (
        (Client._create_unix_socket_connection, "1acf655db643"),
        (Client._handle_connack, "39267140212c"),
        (Client._handle_on_message, "8ccc46fdb090"),
        (Client._handle_publish, "1bbaa3ef0e3a"),
        (Client._packet_read, "bbe32d8af1e3"),
        (Client._send_puback, "bb015cefb632"),
        (Client._sock_recv, "c3b9043a46dd"),
        (Client.loop_read, "4fa11ca2d451"),
    ),
    "ocpp_socket.py": (
        (Assembler.maybe_pause, "b3b5da6cb48e"),
        (Assembler.maybe_resume, "ea1fd7a305dd"),
        (Connection.data_received, "19c5a13dd8eb"),
        (Connection.eof_received, "9dee1bac9a3e"),
        (Connection.connection_made, "5a10b9a98914"),
        (Connection.connection_lost, "ed34a9b75ab3"),
        (Connection.process_event, "90e3399e37c0"),
        (Connection.pause_writing, "2be970c6448a"),
        (Connection.resume_writing, "3b97076b60f8"),
        (ServerConnection.connection_made, "0d0a81e21d71"),
        (ServerConnection.process_event, "2d27302ec72e"),
    ),
    "supervisord_server.py": (
        (UnhosedConfigParser.read, "42cce94d03ff"),
        (UnhosedConfigParser.expand_here, "dde3d9335e98"),
        (ServerOptions.read_config, "004298e61d76"),
        (ServerOptions.processes_from_section, "92ef8ca7e1dd"),
        (ServerOptions.setsignals, "a6d44c31db79"),
        (ServerOptions.fork, "2f2cbb67b82e"),
        (ServerOptions.setpgrp, "67ed57c037dd"),
        (ServerOptions.execve, "028235339e50"),
        (ProcessConfig.make_process, "aae9fca2226c"),
        (PollPoller.poll, "bd02bd162517"),
        (Subprocess.transition, "5f67bdc373a8"),
        (Subprocess.spawn, "a3e17283768d"),
        (Subprocess.get_execv_args, "5a947cc573a2"),
        (Subprocess._spawn_as_parent, "5ed8ee29b4d2"),
        (Subprocess._spawn_as_child, "17f11c3ba28b"),
        (ServerOptions.waitpid, "290f8e9fd742"),
        (Supervisor.reap, "673bb1ec6cd3"),
        (Supervisor.runforever, "4f57d6e10b13"),
        (supervisord.main, "8c043dc771e9"),
        (supervisord.go, "4ff805aa1ba8"),
    ),
    "supervisord_extension.py": (
        (ServerOptions.process_groups_from_parser, "08bd67ebd9bf"),
        (Supervisor.add_process_group, "3607347c39fa"),
    ),
    "supervisord_inside.py": (
        (Subprocess.get_state, "58857fdc414d"),
        (Subprocess.signal, "5dbd869e1da8"),
        (supervisor_events.subscribe, "3fb0b33cf89f"),
        (Supervisor.tick, "40e5f3cf187b"),
    ),
    "wsgi_server.py": (
        (WSGIHandler.read_request, "b1702b63da71"),
        (WSGIHandler.handle_one_request, "14e946e9fb33"),
        (WSGIHandler.handle_one_response, "16fcb501fa89"),
        (WSGIHandler.run_application, "46cef793ff43"),
        (WSGIHandler.start_response, "4b6599df51bc"),
        (WSGIHandler._sendall, "fa0861487226"),
        (Input._do_read, "b786b69167b7"),
        (Input._discard, "bea0da8a7078"),
        (BaseServer.do_handle, "a7060ef181a2"),
        (StreamServer.wrap_socket_and_handle, "f866c5110e14"),
    ),
}


@pytest.mark.parametrize(
    ("module", "part", "digest"),
    [(module, *one) for module, parts in LOOKED_AT.items() for one in parts],
    ids=lambda value: getattr(value, "__qualname__", None),
)
def test_it_is_as_it_was(module: str, part: Callable[..., Any], digest: str) -> None:
    found = hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:12]
    assert found == digest, f"look at evcs/adapters/{module}: {part.__qualname__} is another"
