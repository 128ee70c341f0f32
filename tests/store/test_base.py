"""Connections: nobody waits for ever for a server that has gone silent, or gets one that a restart has cut."""

from __future__ import annotations

import socket
import threading

import pytest
from sqlalchemy import Engine, text
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


@pytest.fixture
def postgresql(databases):
    engine = base.connect(databases.make("postgresql"))
    yield engine
    engine.dispose()


@pytest.mark.postgresql
def test_a_connection_that_was_cut_a_moment_after_its_use_is_replaced(postgresql):
    with postgresql.connect() as one, postgresql.connect() as other:
        cut = {_process(one), _process(other)}
    _cut(postgresql, cut)
    with postgresql.connect() as one, postgresql.connect() as other:
        assert not cut & {_process(one), _process(other)}


@pytest.mark.postgresql
@pytest.mark.parametrize(("trusted", "asked"), [(60.0, 0), (0.0, 1)])
def test_a_connection_is_asked_after_it_lay_for_longer(postgresql, monkeypatch, trusted, asked):
    pings = []
    ping = postgresql.dialect.do_ping
    monkeypatch.setattr(postgresql.dialect, "do_ping", lambda connection: pings.append(1) or ping(connection))
    monkeypatch.setattr(base, "TRUSTED", trusted)
    with postgresql.connect() as connection:
        process = _process(connection)
    pings.clear()
    with postgresql.connect() as connection:
        assert _process(connection) == process
    assert len(pings) == asked


def test_looking_sees_what_was_written_and_begins_no_transaction_on_postgresql(database_url):
    engine = base.connect(database_url)
    with base.writing(engine).begin() as session:
        session.execute(text("CREATE TABLE note (word TEXT)"))
        session.execute(text("INSERT INTO note VALUES ('here')"))
    with base.looking(engine).begin() as session:
        assert session.scalar(text("SELECT word FROM note")) == "here"
        if engine.dialect.name == "postgresql":
            state = session.connection().connection.dbapi_connection.info.transaction_status
            assert state.name == "IDLE"
    # The same connection serves a transaction again afterwards.
    with base.writing(engine)() as session:
        session.execute(text("DELETE FROM note"))
        session.rollback()
    with base.reading(engine).begin() as session:
        assert session.scalar(text("SELECT word FROM note")) == "here"
    engine.dispose()


def _process(connection) -> int:
    return connection.scalar(text("SELECT pg_backend_pid()"))


def _cut(engine: Engine, processes: set[int]) -> None:
    """Has PostgreSQL hang up on these, from a connection of its own."""
    admin = base.connect(engine.url.render_as_string(hide_password=False))
    with admin.connect() as connection:
        for process in processes:
            assert connection.scalar(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
    admin.dispose()
