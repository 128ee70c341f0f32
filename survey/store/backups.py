"""The whole database as lines of text, and back: the same for SQLite and PostgreSQL, read in one moment.

Rows are in the order of their random keys, never in that of a table on disk, which would be the order of writing.
What opens something is in no backup: links, sign-ins, files that wait for a yes.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Date,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    Uuid,
    insert,
    select,
    text,
    update,
)

from survey.core.errors import BadBackup
from survey.store import schema
from survey.store.base import UtcDateTime

FORMAT = "seek-feedback database 1"
LEFT_OUT = frozenset({"invitation_token", "sign_in_link", "sign_in", "address_link", "people_import", "import_undo"})
"""Tables whose rows open something to whoever holds a secret, or that live for an hour."""

PORTION = 500


@dataclass(frozen=True)
class Heading:
    """The first line of a backup: which tables it fits, and the moment that it shows."""

    revision: str
    made_at: datetime


def write(engine: Engine, path: Path, *, now: datetime) -> dict[str, int]:
    """Writes the database as it is at one moment into a new file that only its owner can read.

    The value is how many rows each table has. Nobody who works with the database waits for it. Raises `BadBackup`
    where the tables are not those of this program.
    """
    written: dict[str, int] = {}
    with _new_file(path) as file, _one_moment(engine) as connection:
        revision = schema.revision(connection)
        if revision != schema.head() or revision is None:
            raise BadBackup("The tables are not those of this program: run `survey db upgrade` first.")
        _line(file, {"format": FORMAT, "revision": revision, "made_at": now.isoformat()})
        for table in _tables():
            written[table.name] = 0
            query = select(table).order_by(*table.primary_key.columns)
            with connection.execution_options(yield_per=PORTION).execute(query) as rows:
                for row in rows.mappings():
                    plain = {column.name: _plain(column, row[column]) for column in table.columns}
                    _line(file, {"table": table.name, "row": plain})
                    written[table.name] += 1
        # What was cut off on its way must not pass for the whole.
        _line(file, {"rows": written})
    return written


def heading(path: Path) -> Heading:
    """What the backup says about itself. Raises `BadBackup` for any other file."""
    try:
        with _opened(path) as file:
            first = json.loads(file.readline())
        if first["format"] != FORMAT:
            raise BadBackup(f"{path} is no backup of a database that this program can read.")
        return Heading(first["revision"], datetime.fromisoformat(first["made_at"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"{path} is no backup of a database, or cannot be read.") from error


def check(path: Path) -> Heading:
    """The heading of a backup that is whole and fits this program. Raises `BadBackup`; nothing is written."""
    found = heading(path)
    if found.revision != schema.head():
        raise BadBackup(
            f"{path} was made at revision {found.revision} of the tables, and this program knows {schema.head()}: "
            "restore it with the version of the program that made it, then upgrade."
        )
    for _ in _rows(path):
        pass
    return found


def load(connection: Connection, path: Path) -> dict[str, int]:
    """Writes the rows of a backup into empty tables; the value is how many each table got. Raises `BadBackup`."""
    tables = {table.name: table for table in _tables()}
    later: list[tuple[Table, Mapping[str, Any], Mapping[str, Any]]] = []
    loaded: dict[str, int] = dict.fromkeys(tables, 0)
    waiting: list[dict[str, Any]] = []
    current: Table | None = None
    for name, plain in _rows(path):
        table = tables[name]
        if current is not None and (table is not current or len(waiting) == PORTION):
            connection.execute(insert(current), waiting)
            waiting = []
        current = table
        row = {column.name: _value(column, plain[column.name]) for column in table.columns}
        own = {name: row[name] for name in _points_at_itself(table) if row[name] is not None}
        if own:
            # A row may stand before the one that it points at, as people do before their managers.
            later.append((table, {key.name: row[key.name] for key in table.primary_key.columns}, own))
            row |= dict.fromkeys(own)
        waiting.append(row)
        loaded[name] += 1
    if current is not None and waiting:
        connection.execute(insert(current), waiting)
    for table, key, links in later:
        this = [table.c[name] == value for name, value in key.items()]
        connection.execute(update(table).where(*this).values(**links))
    return loaded


def make_anew(connection: Connection) -> None:
    """Drops every table that is there, with all rows, and makes those of this program; the caller commits."""
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)
    if connection.dialect.name == "postgresql":
        # What triggers call is left when their tables have gone.
        for name in connection.scalars(
            text(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
                "AND prorettype = 'trigger'::regtype"
            )
        ).all():
            connection.exec_driver_sql(f"DROP FUNCTION {name}")
    schema.migrate(connection)


def _tables() -> list[Table]:
    """Those that are in a backup, each after the ones that it points at."""
    return [table for table in schema.metadata.sorted_tables if table.name not in LEFT_OUT]


def _points_at_itself(table: Table) -> list[str]:
    return [key.parent.name for key in table.foreign_keys if key.column.table is table]


def _one_moment(engine: Engine) -> AbstractContextManager[Connection]:
    """A transaction that only reads, and sees one moment from its first to its last query."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(sqlite_begin="DEFERRED").begin()
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True).begin()


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows of a whole backup; raises `BadBackup` at the end of one that is not."""
    known = {table.name: {column.name for column in table.columns} for table in _tables()}
    seen = dict.fromkeys(known, 0)
    end: Any = None
    try:
        with _opened(path) as file:
            file.readline()
            for line in file:
                found = json.loads(line)
                if end is not None:
                    raise BadBackup(f"{path} goes on after its end.")
                if "rows" in found:
                    end = found["rows"]
                    continue
                if set(found["row"]) != known[found["table"]]:
                    raise BadBackup(f"{path} holds a row that does not fit its table.")
                seen[found["table"]] += 1
                yield found["table"], found["row"]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadBackup(f"{path} is damaged, or cannot be read.") from error
    if end != seen:
        raise BadBackup(f"{path} is not whole: it ends too early, or rows are missing.")


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A packed file that gets its name when it is whole and on disk; there is no half one, and none is overwritten."""
    draft = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # The heading of the archive has no name and no time: the same rows make the same bytes.
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
                io.TextIOWrapper(packed, encoding="utf-8") as lines,
            ):
                yield lines
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _opened(path: Path) -> TextIO:
    return gzip.open(path, "rt", encoding="utf-8")


def _line(file: TextIO, content: Mapping[str, Any]) -> None:
    file.write(json.dumps(content, separators=(",", ":")) + "\n")


def _plain(column: Column[Any], value: Any) -> Any:
    """The value as JSON has it."""
    if value is None or isinstance(column.type, JSON):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def _value(column: Column[Any], plain: Any) -> Any:
    """What `_plain` was made from. Raises ValueError or TypeError for anything that cannot be in this column."""
    if plain is None or isinstance(column.type, JSON):
        return plain
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(plain, validate=True)
    if isinstance(column.type, Uuid):
        return uuid.UUID(plain)
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(plain)
    return date.fromisoformat(plain) if isinstance(column.type, Date) else plain
