"""Clients that begin something and do not go on: what a few of them may not do to a web server."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

KINDS = {
    "says nothing": b"",
    "two bytes": b"GE",
    "half of the headers": b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n",
    "half of a body": b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\naddress=",
    "half of a chunk": b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n50\r\naddr",
    "one request and two bytes": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGE",
    "reads nothing": b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40,
}
"""What each kind sends before it stops."""

READS_NOTHING = 4096  # bytes that its system takes for it


@contextmanager
def senders(port: int, count: int, begun: bytes) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this, and read nothing."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            line = socket.socket()
            opened.append(line)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READS_NOTHING)
            line.settimeout(60)
            line.connect(("127.0.0.1", port))
            line.sendall(begun)
        yield opened
    finally:
        for line in opened:
            line.close()


def answered(port: int, times: int, *, at_once: int = 10, timeout: float = 60) -> list[float]:
    """Seconds after which others had their page, over connections of their own. Raises OSError where one has none."""

    def ask(_: int) -> float:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        connection.request("GET", "/livez")
        assert connection.getresponse().read() is not None
        connection.close()
        return time.monotonic() - began

    with ThreadPoolExecutor(at_once) as crowd:
        return list(crowd.map(ask, range(times)))


def still_open(lines: list[socket.socket]) -> int:
    """How many of them the server has not hung up on."""
    return sum(_is_open(line) for line in lines)


def _is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return bool(line.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False
