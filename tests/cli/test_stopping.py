"""Real processes that are asked to stop: what has begun is finished, and their logs tell nothing of raters."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from survey.cli import machine
from survey.cli.logs import Template
from tests import servers

ROOT = Path(__file__).resolve().parents[2]
SLOW = """
import os, time
from pathlib import Path
import celery
worker = celery.Celery(broker=os.environ["SURVEY_REDIS_URL"])
worker.conf.task_acks_late = True

@worker.task(name="slow")
def slow():
    Path(os.environ["BEGAN"]).touch()
    time.sleep(2)
    Path(os.environ["ENDED"]).touch()

def create_app():
    def answer(environ, start_response):
        if environ["PATH_INFO"].startswith("/slow"):
            Path(os.environ["BEGAN"]).touch()
            time.sleep(2)
        if environ["PATH_INFO"].startswith("/r/"):
            raise RuntimeError("what somebody wrote")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"finished"]
    return answer
"""
TOKEN = "the-token-of-a-mailed-link"

pytestmark = pytest.mark.processes


def test_a_request_that_has_begun_is_answered_after_sigterm(place: Path) -> None:
    port = servers.free_port()
    with service("web server", place, port=port) as process:
        wait_for(lambda: listens(port))
        answers: list[bytes] = []

        def ask() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
            connection.request("GET", "/slow")
            answers.append(connection.getresponse().read())
            connection.close()

        asking = threading.Thread(target=ask)
        asking.start()
        wait_for((place / "began").exists)
        process.send_signal(signal.SIGTERM)
        asking.join(180)
        assert answers == [b"finished"]
        assert process.wait(180) == 0
    assert not listens(port)


def test_a_task_that_has_begun_is_finished_after_sigterm(place: Path) -> None:
    with servers.redis_server() as address, service("worker", place, redis=address) as process:
        import celery

        bell = celery.Celery(broker=address)
        bell.send_task("slow")
        wait_for((place / "began").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(180) == 0
        assert (place / "ended").exists()
        bell.close()


def test_the_web_servers_log_is_json_without_addresses_paths_and_texts(place: Path) -> None:
    port = servers.free_port()
    with service("web server", place, port=port) as process:
        wait_for(lambda: listens(port))
        for request in (
            f"GET /r/{TOKEN} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            f"GET /r/{TOKEN} NONSENSE/9\r\n\r\n",
            f"GET /x HTTP/1.1\r\nHost: localhost\r\n{TOKEN} : bad\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
                connection.sendall(request.encode())
                while connection.recv(4096):
                    pass
        process.send_signal(signal.SIGTERM)
        process.wait(180)
    text = (place / "log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    told = [(line["level"], line["event"]) for line in lines if line["level"] != "info"]
    assert told[0] == ("error", "Error handling request %s %s")
    assert [level for level, _ in told] == ["error", "warning", "warning"]
    assert not [word for word in (TOKEN, "127.0.0.1", "/r/", "what somebody wrote") if word in text]


def test_what_other_packages_log_keeps_its_template_and_loses_what_was_filled_in() -> None:
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "mail to %s: %s", ("ana@company.test", TOKEN), None)
    line = json.loads(Template().format(record))
    assert (line["event"], line["level"]) == ("mail to %s: %s", "warning")
    task = logging.LogRecord(
        "x", logging.INFO, "x.py", 1, "Task %(name)s done", ({"name": "tasks.a", "x": TOKEN},), None
    )
    assert json.loads(Template().format(task))["task"] == "tasks.a"
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError:
        failed = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())
    assert json.loads(Template().format(failed))["error"] == "RuntimeError"
    assert TOKEN not in Template().format(failed) + Template().format(record)


@contextmanager
def service(
    name: str, place: Path, *, port: int = 1, redis: str = "redis://127.0.0.1:1/0"
) -> Iterator[subprocess.Popen]:
    """A service of the single-machine mode with its own command line, on the code of this file."""
    environ = {"SURVEY_REDIS_URL": redis, "SURVEY_SMTP_HOST": "localhost"}
    prepared = machine.prepare(place / "instance", mode="testing", port=port, environ=environ)
    (command,) = (each.command for each in prepared.services if each.name == name)
    ours = {"survey.app:create_app()": "slow_app:create_app()", "tasks.worker": "slow_app"}
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [ours.get(part, part) for part in command],
            cwd=place,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT}{os.pathsep}{place}",
                "BEGAN": str(place / "began"),
                "ENDED": str(place / "ended"),
                "SURVEY_REDIS_URL": redis,
                "PYTHONUNBUFFERED": "1",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_for(happens, seconds: float = 180) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "slow_app.py").write_text(SLOW, encoding="utf-8")
    return tmp_path
