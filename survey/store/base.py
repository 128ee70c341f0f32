"""What all rows share: the declarative base, times in UTC, and engines with the settings that the promise needs."""

from __future__ import annotations

import select
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    Executable,
    MetaData,
    String,
    TypeDecorator,
    Uuid,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker, validates
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from survey.core import names

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

UNORDERED = {"sqlite_with_rowid": False}
"""For tables that touch raters: SQLite keeps no row number, so that the order of writing is not kept either."""

PATIENCE = {
    # A server that lets us in and says nothing would hold a page, or a task, until somebody restarts the process.
    "connect_timeout": 5,
    # A network that swallows everything does not say so either: by default it is found out after hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""How long a process waits for a PostgreSQL that has gone silent, in seconds; the last in milliseconds."""


class Base(DeclarativeBase):
    """The base of all rows."""

    metadata = MetaData(naming_convention=NAMES)
    # What is missing is NULL, which constraints see, and never the JSON word for it.
    type_annotation_map = dict.fromkeys((dict[str, Any], list[str], list[int]), JSON(none_as_null=True))


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Naive values are refused; what comes back is always in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """In UTC, and without a zone where the database knows none. Raises ValueError for a naive value."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("An instant needs its time zone.")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def random_key() -> Mapped[uuid.UUID]:
    """A primary key that says nothing about when or in which order rows were made."""
    return mapped_column(Uuid, primary_key=True, default=uuid.uuid4)


class Named:
    """A row that people look for by its name. `folded` is what is compared; it follows the name by itself.

    Only where names are set on objects or inserted: an UPDATE that sets `name` must set both.
    """

    name: Mapped[str]
    folded: Mapped[str] = mapped_column(
        # By code points, as SQLite compares: a collation of the server would have an order of its own.
        String().with_variant(String(collation="C"), "postgresql"),
        default=lambda context: names.folded(context.get_current_parameters()["name"]),
        server_default="",
    )

    @validates("name")
    def _fold(self, key: str, name: str) -> str:
        self.folded = names.folded(name)
        return name


class Plainly(FunctionElement[str]):
    """A text that is sorted by its code points on every database."""

    inherit_cache = True
    type = String()


@compiles(Plainly)
def _plain_anywhere(element: Plainly, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Plainly, "postgresql")
def _plain_on_postgresql(element: Plainly, compiler: SQLCompiler, **options: Any) -> str:
    return f'{compiler.process(element.clauses, **options)} COLLATE "C"'


def connect(url: str) -> Engine:
    """An engine for SQLite or PostgreSQL.

    SQLite: write-ahead log, foreign keys, deleted content overwritten, writers queue up instead of failing.
    PostgreSQL: a lock or a statement that takes too long is an error instead of a standstill. On both, the text of
    an error never holds the values of a statement.
    """
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(
            url,
            pool_size=4,
            max_overflow=12,
            hide_parameters=True,
            connect_args=PATIENCE | {"options": "-c lock_timeout=10s -c statement_timeout=60s -c timezone=UTC"},
        )
        _try_before_use(engine)
        return engine
    engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def writing(engine: Engine) -> sessionmaker[Any]:
    """Sessions whose transactions write; on SQLite they take their turn when they begin."""
    return sessionmaker(engine, expire_on_commit=False)


def reading(engine: Engine) -> sessionmaker[Any]:
    """Sessions whose transactions only read; on SQLite they wait for nobody."""
    return sessionmaker(engine.execution_options(sqlite_begin="DEFERRED"), expire_on_commit=False)


def looking(engine: Engine) -> sessionmaker[Any]:
    """Sessions that only read, each statement by itself: without PostgreSQL's two trips around a transaction.

    Statements see the same there as in `reading`, whose transactions are READ COMMITTED. Nothing can be streamed.
    """
    return reading(engine) if engine.dialect.name == "sqlite" else _statement_by_statement(engine)


def one_step(engine: Engine) -> sessionmaker[Any]:
    """Sessions for work that is a single statement on PostgreSQL; on SQLite it may be several, in one transaction."""
    return writing(engine) if engine.dialect.name == "sqlite" else _statement_by_statement(engine)


def _statement_by_statement(engine: Engine) -> sessionmaker[Any]:
    return sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False)


def run(session: Session, statement: Executable, values: Any = None) -> CursorResult[*tuple[Any, ...]]:
    """Runs a statement on the session's transaction past its objects: in a third of the time, for what is run often.

    What the session holds in memory is neither written before nor brought up to date after it.
    """
    return session.connection().execute(statement, values)


def is_on_postgresql(session: Session) -> bool:
    """Whether this session works on PostgreSQL: one statement can say more there, and writers do not take turns."""
    return session.get_bind().dialect.name == "postgresql"


TRUSTED = 2.0
"""Seconds for which a connection that worked is asked nothing, as long as its server has not spoken up by itself."""


def _try_before_use(engine: Engine) -> None:
    """Tries each connection before it is used, and replaces those that a restart of PostgreSQL has cut.

    A server that goes hangs up, and that can be seen at the socket without a trip to the server; a connection that lay
    longer, or whose server has said something, is asked. SQLAlchemy's own `pool_pre_ping` asks each time.
    """

    def note(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info["worked"] = time.monotonic()

    def test(connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: object) -> None:
        try:
            if time.monotonic() - record.info["worked"] > TRUSTED or _has_spoken(connection):
                engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None

    event.listen(engine, "connect", note)
    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", test)


def _has_spoken(connection: Any) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _set_up_sqlite(connection: DBAPIConnection, record: object) -> None:
    # The driver's own idea of transactions is switched off: BEGIN is said by _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "busy_timeout=30000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")


def vacuum(engine: Engine, tables: Sequence[str] = ("envelope", "draft")) -> None:
    """Deleted content leaves the files of the database: pages are rewritten, and SQLite's log is emptied.

    `tables` are those that PostgreSQL looks at; SQLite knows only all of them.
    """
    if engine.dialect.name != "sqlite":
        _on_postgresql(engine, "VACUUM", tables)
        return
    _outside_transactions(engine, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")


def rewrite(engine: Engine, tables: Sequence[str]) -> None:
    """As `vacuum`, for rows that were no ciphertext: PostgreSQL writes the tables anew, and locks each meanwhile.

    A plain VACUUM leaves the bytes where they are until something else needs the room.
    """
    if engine.dialect.name != "sqlite":
        _on_postgresql(engine, "VACUUM FULL", tables)
        return
    _outside_transactions(engine, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")


def forget_comments(engine: Engine) -> None:
    """The texts of comments that were deleted leave the files of the database.

    SQLite has overwritten them where they lay, and its log is emptied. PostgreSQL writes the table anew.
    """
    if engine.dialect.name != "sqlite":
        _on_postgresql(engine, "VACUUM FULL", ["comment"])
        return
    _outside_transactions(engine, "PRAGMA wal_checkpoint(TRUNCATE)")


def clean_up(engine: Engine) -> bool:
    """What the rows of answers were before a shake leaves the files of the database; False if somebody was in the way.

    PostgreSQL writes the rows of raters anew, which are small: of the transactions in which they answered not a byte
    is left there, and what is left of old envelopes leads nowhere. SQLite empties its log. Nobody waits for long.
    """
    if engine.dialect.name == "sqlite":
        return _emptied_log(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not _nobody_sees_old_rows(connection):
            return False
        connection.exec_driver_sql(f"SET lock_timeout = {PASSING}")
        try:
            for command, table in _LEFT_BY_ANSWERS:
                connection.exec_driver_sql(f'{command} "{table}"')
        except OperationalError:
            return False
        finally:
            connection.exec_driver_sql("RESET lock_timeout")
    return True


def _nobody_sees_old_rows(connection: Connection) -> bool:
    """Whether all transactions that began before this moment end soon: what they could still see is never removed."""
    this_moment = connection.exec_driver_sql("SELECT pg_current_xact_id()::xid::text").scalar_one()
    until = time.monotonic() + PASSING / 1000
    while connection.execute(_OLDER, {"moment": this_moment}).scalar_one():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


_OLDER = text("""
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type = 'client backend' AND age(backend_xmin) > age(CAST(CAST(:moment AS text) AS xid))
""")

PASSING = 500
"""Milliseconds for which cleaning waits for others, and others for it to give up."""

_LEFT_BY_ANSWERS = (
    ("VACUUM FULL", "invitation"),
    ("VACUUM FULL", "invitation_token"),
    ("VACUUM", "envelope"),
    ("VACUUM", "draft"),
)


def _emptied_log(engine: Engine) -> bool:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {PASSING}")
        try:
            is_busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")
        cursor.close()
    finally:
        raw.close()
    return not is_busy


def _on_postgresql(engine: Engine, command: str, tables: Sequence[str]) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.exec_driver_sql(f'{command} "{table}"')


def _outside_transactions(engine: Engine, *statements: str) -> None:
    """Runs these past SQLAlchemy, which would begin a transaction first."""
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
    finally:
        raw.close()
