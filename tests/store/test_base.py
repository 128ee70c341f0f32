"""Connections: nobody waits for ever for a server that has gone silent."""

from __future__ import annotations

import socket
import threading

from sqlalchemy.exc import OperationalError

from survey.store import base


def test_a_postgresql_that_takes_the_call_and_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setitem(base.PATIENCE, "connect_timeout", 2)
    given_up = threading.Event()

    def connect(port: int) -> None:
        engine = base.connect(f"postgresql+psycopg://somebody@127.0.0.1:{port}/nothing")
        try:
            engine.connect()
        except OperationalError:
            given_up.set()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        thread = threading.Thread(target=connect, args=(silent.getsockname()[1],), daemon=True)
        thread.start()
        was_given_up = given_up.wait(10)
    thread.join(10)
    assert was_given_up
