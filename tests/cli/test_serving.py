"""The worker of the web server: what arrives in pieces, what is too large, who reads slowly, and replacements."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from survey.cli import machine
from tests import servers
from tests.attacks import slow
from tests.cli.test_stopping import listens, wait_for

ROOT = Path(__file__).resolve().parents[2]
ECHO = """
from flask import Flask, Response, request

def create_app():
    app = Flask("echo")
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024

    @app.get("/livez")
    def livez():
        return "alive"

    @app.post("/echo")
    def echo():
        return Response(request.get_data(), mimetype="application/octet-stream")

    @app.post("/unread")
    def unread():
        return "unread"

    @app.get("/large")
    def large():
        return Response(b"large " * 3_000_000)

    @app.get("/stream")
    def stream():
        return Response(f"{number}," for number in range(1000))

    @app.get("/fails")
    def fails():
        def pieces():
            yield "begun"
            raise RuntimeError
        return Response(pieces())
    return app
"""
BODY = bytes(range(256)) * 40

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("size", [1, 7, 4000])
def test_a_body_that_comes_in_pieces_arrives_as_it_was_sent(port: int, size: int) -> None:
    body = BODY[: size * 60]
    request = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert reply_to(port, request + body, size).endswith(b"\r\n\r\n" + body)


def test_chunks_arrive_as_they_were_sent(port: int) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert reply_to(port, request + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 3).endswith(b"\r\n\r\nabcde")


def test_who_waits_for_a_word_before_the_body_gets_it(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n")
        line.sendall(b"Connection: close\r\nContent-Length: 3\r\n\r\n")
        assert line.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"abc")
        assert everything(line).endswith(b"\r\n\r\nabc")


def test_requests_behind_each_other_are_answered_in_their_order(port: int) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n%d.%d;."
    requests = b"".join(request % (number, number) for number in range(1, 6))
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    replies = reply_to(port, requests + last, 11)
    places = [replies.index(b"%d.%d;." % (number, number)) for number in range(1, 6)]
    assert places == sorted(places)
    assert replies.endswith(b"alive")


def test_a_body_that_nobody_read_is_not_taken_for_the_next_request(port: int) -> None:
    hidden = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    replies = reply_to(port, request + hidden + last, 1000)
    assert replies.count(b"HTTP/1.1 200") == 2
    assert b"large" not in replies


@pytest.mark.parametrize("lines", [b"Content-Length: 1048577", b"Transfer-Encoding: chunked"])
def test_what_is_too_large_is_refused_before_it_has_come(port: int, lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n\r\n")
        if b"chunked" in lines:
            line.sendall(b"4000000\r\n")
        assert everything(line).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\nX : y\r\n\r\n"]
)
def test_nonsense_is_refused_and_the_next_is_answered(port: int, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.sendall(request_)
        assert everything(line).startswith(b"HTTP/1.1 4")
    assert slow.answered(port, 1)


def test_who_reads_slowly_gets_all_of_it(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        time.sleep(0.5)
        assert everything(line).count(b"large ") == 3_000_000


def test_a_reply_of_unknown_length_comes_whole_and_one_that_breaks_off_is_seen_to(port: int) -> None:
    request = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert reply_to(port, request % b"stream", 1000).endswith(b"0\r\n\r\n")
    assert not reply_to(port, request % b"fails", 1000).endswith(b"0\r\n\r\n")


def test_more_connections_than_there_is_room_for_make_room(port: int, lines_allowed: int) -> None:
    with slow.senders(port, lines_allowed, b"GE") as lines:
        assert slow.answered(port, 20)
        assert slow.still_open(lines) > 0


def test_a_request_of_which_half_has_come_is_answered_after_sigterm(server: subprocess.Popen, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.5)
        server.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        line.sendall(b"def")
        assert everything(line).endswith(b"\r\n\r\nabcdef")
    assert server.wait(180) == 0


def test_no_request_is_refused_or_reset_while_processes_are_replaced(server: subprocess.Popen, port: int) -> None:
    seen: list[str] = []
    is_over = threading.Event()
    crowd = [threading.Thread(target=hammer, args=(port, kind, is_over, seen)) for kind in (True, False) * 4]
    for each in crowd:
        each.start()
    first = children(server)
    for _ in range(3):
        before = children(server)
        os.kill(server.pid, signal.SIGHUP)
        wait_for(lambda before=before: len(children(server)) == 2 and not children(server) & before)
    is_over.set()
    for each in crowd:
        each.join()
    assert not first & children(server)
    assert len(seen) > 50
    assert set(seen) == {"ok"}


def hammer(port: int, is_kept: bool, is_over: threading.Event, seen: list[str]) -> None:
    """Asks again and again, over one connection for as long as the server keeps it, or over a new one each time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=180)
    while not is_over.is_set():
        try:
            connection.request("POST", "/echo", BODY)
            answer = connection.getresponse()
            seen.append("ok" if answer.read() == BODY else f"status {answer.status}")
        except (OSError, http.client.HTTPException) as error:
            seen.append(repr(error))
        if not is_kept:
            connection.close()
    connection.close()


def children(server: subprocess.Popen) -> set[int]:
    return {child.pid for child in psutil.Process(server.pid).children()}


def reply_to(port: int, request: bytes, size: int) -> bytes:
    """All that the server says to this request, which is sent in pieces of this size."""
    with socket.create_connection(("127.0.0.1", port), timeout=180) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), size):
            line.sendall(request[start : start + size])
        return everything(line)


def everything(line: socket.socket) -> bytes:
    """What comes until the other side has said all."""
    pieces = []
    while piece := line.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def served(folder: Path, port: int) -> Iterator[subprocess.Popen]:
    (folder / "echo_app.py").write_text(ECHO, encoding="utf-8")
    environ = {"SURVEY_REDIS_URL": "redis://127.0.0.1:1/0", "SURVEY_SMTP_HOST": "localhost"}
    prepared = machine.prepare(folder / "instance", mode="testing", port=port, environ=environ)
    command = [*next(each.command for each in prepared.services if each.name == "web server")]
    command[-1] = "echo_app:create_app()"
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(port))
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen, int]]:
    """One server for all tests that leave it running."""
    port = servers.free_port()
    with served(tmp_path_factory.mktemp("served"), port) as process:
        yield process, port


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, port: int) -> Iterator[subprocess.Popen]:
    """A server of this test's own."""
    with served(tmp_path, port) as process:
        yield process


@pytest.fixture
def port(request: pytest.FixtureRequest) -> int:
    """Where the server answers that the test asks for, or the lasting one."""
    return servers.free_port() if "server" in request.fixturenames else request.getfixturevalue("lasting")[1]


@pytest.fixture
def lines_allowed() -> int:
    """As many connections as two processes would have to turn away some of."""
    import resource

    wanted, (allowed, most) = 2100, resource.getrlimit(resource.RLIMIT_NOFILE)
    if most not in (-1, resource.RLIM_INFINITY) and most < wanted + 200:
        pytest.skip(f"this machine lets a process open {most} files, and this needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, wanted + 200), most))
    return wanted
