"""The worker of the web server: a thread gets a request when all of it has come, and never waits for a network.

gunicorn's own threads wait for what a browser has still to send and to read, so that eight half-sent requests stop two
processes of four threads each (docs/decisions/0028). Here one loop receives and sends for all of them; a thread takes
a request out of memory and puts the reply there. gunicorn does the rest: HTTP itself, processes, signals, stopping.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, BinaryIO

from flask import Flask
from gunicorn import http
from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from survey.cli import memory
from survey.cli.arrivals import Arrival

SILENCE = 20.0
"""Seconds after which a connection is closed that neither sent nor read a byte of what was begun."""

REQUEST = 120.0
"""Seconds in which a request must come as a whole."""

LEAVING = 5.0
"""Seconds for which what a client still sends is thrown away, so that it can read the reply to what it sent before."""

MOST = 900
"""Connections of a process: with its other files it keeps below the 1024 that many systems allow."""

ROOM = 64 * 1024 * 1024
"""Bytes of requests on their way that a process keeps."""

PIECE = 64 * 1024
LOOKS = 0.5  # seconds between two looks for connections whose time is up

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSED = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Exchange:
    """What gunicorn takes for the socket: a request that is there as a whole, and room for the reply. Nothing waits."""

    def __init__(self, request: bytes) -> None:
        self._request = memoryview(request)
        self.reply = bytearray()

    def recv(self, size: int) -> bytes:
        """The next bytes of the request; none at its end."""
        piece, self._request = bytes(self._request[:size]), self._request[size:]
        return piece

    def sendall(self, data: bytes) -> None:
        """Puts this to the reply."""
        self.reply += data

    def send(self, data: bytes) -> int:
        """Puts this to the reply."""
        self.reply += data
        return len(data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> None:
        """Puts a part of a file to the reply."""
        file.seek(offset)
        self.reply += file.read(-1 if count is None else count)

    def gettimeout(self) -> float:
        """Zero: nothing waits here."""
        return 0.0

    def setblocking(self, flag: object) -> None:
        """Changes nothing."""

    def settimeout(self, seconds: object) -> None:
        """Changes nothing."""

    def shutdown(self, how: object) -> None:
        """Changes nothing."""

    def close(self) -> None:
        """Changes nothing."""


class Connection(TConn):  # type: ignore[misc]
    """A connection: what has come of a request, what is left of a reply, and until when it may stay as it is."""

    def __init__(self, cfg: Any, line: socket.socket, client: object, server: object) -> None:
        super().__init__(cfg, line, client, server)
        self.line = line
        self.data_ready = True
        self.arrival = Arrival()
        self.behind = b""
        self.reply = memoryview(b"")
        self.since = self.heard = time.monotonic()
        self.until = 0.0
        self.is_kept = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request has come, and nothing of a reply is left."""
        return not len(self.arrival) and not self.reply

    def take_request(self) -> None:
        """Lays the whole request out for a thread."""
        request, self.behind = self.arrival.taken()
        self.is_kept = not self.arrival.is_cut
        self.arrival = Arrival()
        self.sock = Exchange(request)

    def init(self) -> None:
        """Begins to read the request that was laid out."""
        self.parser = http.get_parser(self.cfg, self.sock, self.client)

    def is_read_up(self) -> bool:
        """Whether gunicorn saw the end of the request where it was seen here. Otherwise nothing may follow it."""
        return not self.sock.recv(1) and not self.parser.unreader.buf.getvalue()

    def send(self) -> None:
        """Sends what the client takes just now. Raises OSError if it is gone."""
        while self.reply:
            try:
                sent = self.line.send(self.reply)
            except BlockingIOError:
                return
            self.reply = self.reply[sent:]
            self.heard = time.monotonic()

    def close(self, graceful: bool = False) -> None:
        """Closes it at once."""
        self.line.close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """A process of the web server. It is replaced when a round was counted (survey.cli.memory)."""

    @classmethod
    def check_config(cls, cfg: Any, log: object) -> None:
        """Raises ConfigError for what this worker does not do."""
        if cfg.is_ssl:
            raise ConfigError("TLS belongs to a proxy in front of this server.")

    def run(self) -> None:
        """Serves until it is told to stop, or to make room for its replacement."""
        memory.keep_to_this_process()
        self._held = 0
        self._next_look = 0.0
        # In the order in which they began to wait: first those that wait longest.
        self._waiting: dict[Connection, None] = {}
        if isinstance(self.wsgi, Flask):
            memory.watch(self.wsgi, partial(memory.ask_for_replacement, self.ppid), lambda: self.alive)
        super().run()

    def accept(self, listener: Any) -> None:
        """Takes a new connection, in place of the one that has waited longest where there are too many."""
        try:
            line, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                return
            if error.errno in (errno.EMFILE, errno.ENFILE) and self._waiting:
                self._drop(next(iter(self._waiting)))
                return
            raise
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conn = Connection(self.cfg, line, client, listener.getsockname())
        self.nr_conns += 1
        if self.nr_conns > min(MOST, self.worker_connections - 1) and self._waiting:
            self._drop(next(iter(self._waiting)))
        self._wait_for_request(conn, SILENCE)

    def handle(self, conn: Connection) -> bool:
        """Answers the request, in a thread; the value is whether the connection may be used again."""
        is_kept = bool(super().handle(conn)) and conn.is_kept and conn.is_read_up()
        conn.reply = memoryview(bytes(conn.sock.reply))
        conn.heard = time.monotonic()
        conn.send()
        return is_kept

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """Goes on with a connection whose request was answered."""
        conn.since = time.monotonic()
        if fs.cancelled() or fs.exception() is not None:
            self._drop(conn)
            return
        conn.is_kept = fs.result()
        if conn.reply:
            self._wait(conn, selectors.EVENT_WRITE, self._send, SILENCE)
        else:
            self._go_on(conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Closes the connections whose time is up, or all of them."""
        now = time.monotonic()
        if now < self._next_look and not force:
            return
        self._next_look = now + LOOKS
        for conn in list(self._waiting):
            if force or now > conn.until:
                self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self._waiting:
            if conn.is_idle:
                conn.until = min(conn.until, deadline)

    def _wait_for_request(self, conn: Connection, seconds: float) -> None:
        """Waits for the next request, of which the beginning may be there."""
        conn.arrival = Arrival(conn.behind)
        conn.behind = b""
        self._held += len(conn.arrival)
        conn.since = time.monotonic()
        self._wait(conn, selectors.EVENT_READ, self._receive, seconds)
        self._look_at(conn)
        if not self.alive and conn.is_idle:
            conn.until = min(conn.until, conn.since + STOP_KEEPALIVE_LINGER)

    def _receive(self, conn: Connection, line: object) -> None:
        piece = self._read(conn)
        if not piece:
            return
        conn.arrival.add(piece)
        self._held += len(piece)
        conn.until = min(time.monotonic() + SILENCE, conn.since + REQUEST)
        self._look_at(conn)
        while self._held > ROOM and self._waiting:
            self._drop(max(self._waiting, key=lambda each: len(each.arrival)))

    def _look_at(self, conn: Connection) -> None:
        """Hands a request to a thread if all of it is there."""
        if conn.arrival.is_whole:
            self._rest(conn)
            conn.take_request()
            self.enqueue_req(conn)
        elif conn.arrival.refusal:
            self._refuse(conn)
        elif conn.arrival.expects_word:
            conn.arrival.expects_word = False
            with contextlib.suppress(OSError):
                conn.line.send(CONTINUE)

    def _refuse(self, conn: Connection) -> None:
        """Says why what comes is not taken, and leaves."""
        self._rest(conn)
        conn.reply = memoryview(REFUSED.format(conn.arrival.refusal).encode())
        conn.arrival, conn.is_kept = Arrival(), False
        self._wait(conn, selectors.EVENT_WRITE, self._send, SILENCE)

    def _send(self, conn: Connection, line: object) -> None:
        if conn not in self._waiting:
            return
        try:
            conn.send()
        except OSError:
            self._drop(conn)
            return
        conn.until = conn.heard + SILENCE
        if not conn.reply:
            self._rest(conn)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Everything was sent: waits for the next request, or leaves."""
        if conn.is_kept:
            self._wait_for_request(conn, self.cfg.keepalive)
            return
        try:
            conn.line.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        self._wait(conn, selectors.EVENT_READ, self._read, LEAVING)

    def _read(self, conn: Connection, line: object = None) -> bytes:
        """What has come just now; a connection whose client is gone is dropped."""
        if conn not in self._waiting:
            # It was closed a moment ago, to make room.
            return b""
        try:
            piece = conn.line.recv(PIECE)
        except BlockingIOError:
            return b""
        except OSError:
            piece = b""
        if not piece:
            self._drop(conn)
        return piece

    def _wait(self, conn: Connection, what: int, then: Callable[[Connection, object], object], seconds: float) -> None:
        conn.until = time.monotonic() + seconds
        self._waiting[conn] = None
        self.poller.register(conn.line, what, partial(then, conn))

    def _rest(self, conn: Connection) -> None:
        """Waits for nothing of this connection any more."""
        if conn in self._waiting:
            del self._waiting[conn]
            self._held -= len(conn.arrival)
            self.poller.unregister(conn.line)

    def _drop(self, conn: Connection) -> None:
        self._rest(conn)
        self.nr_conns -= 1
        conn.close()
