"""How the worker and the doorbell hold on to redis: neither waits for ever for one that says nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from survey import app as wiring
from tests import servers
from tests.test_deployment import SERVICES

ROOT = Path(__file__).resolve().parents[2]

LOOK = """
import json, socket
from tasks.worker import celery
with celery.connection_for_read() as connection:
    opened = connection.default_channel.client.connection_pool.get_connection()
    print(json.dumps({
        "keepalive": opened._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "timeout": opened._sock.gettimeout(),
        "connect": opened.socket_connect_timeout,
    }))
"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_worker_s_connection_to_redis_is_kept_alive_and_has_an_end(environ):
    with servers.redis_server() as url:
        found = subprocess.run(
            [sys.executable, "-c", LOOK],
            env=os.environ | environ | {"SURVEY_REDIS_URL": url, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(found.stdout.splitlines()[-1]) == {"keepalive": 1, "timeout": 5, "connect": 5}


def test_a_doorbell_at_a_redis_that_says_nothing_is_given_up_within_seconds():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(OperationalError):
            wiring._doorbell(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")("tasks.outbox.sweep")
        assert time.monotonic() - began < 60


def test_workers_do_not_look_for_each_other():
    assert {"--without-gossip", "--without-mingle"} <= set(SERVICES["worker"]["command"])
