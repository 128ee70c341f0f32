"""The schema as the database really has it: nothing in it leads from an answer to a person, or says when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Inspector, Integer, inspect, text
from sqlalchemy.types import Date, DateTime, Interval, Time

from survey.store import schema
from survey.store.audit import GUARDS, AuditEntry
from survey.store.inspection.looks import Look, count

ANSWERS = ("envelope", "draft", "cell", "comment", "withheld")
"""The tables of what was said."""

RATERS = ("nomination", "invitation", "invitation_token")
"""The tables of who was asked."""

WALLED = (*RATERS, *ANSWERS)

SUBJECTS = frozenset({"review", "cycle"})
"""Where a foreign key of an answer may lead: to what it is about."""

MIGRATIONS = "alembic_version"

Columns = Mapping[str, list[Any]]


def look(connection: Connection) -> Iterator[Look]:
    """Every way in which columns, keys and triggers could join the two sides."""
    inspector = inspect(connection)
    columns: Columns = {table: list(inspector.get_columns(table)) for table in tables(inspector)}
    walled = [table for table in WALLED if table in columns]
    on = f"{count(len(walled), 'table')} with raters or answers"
    everywhere = f"{count(len(columns), 'table')}, {count(sum(map(len, columns.values())), 'column')}"
    yield Look("A6", "tables and columns that the program does not know", everywhere, tuple(_unknown(columns)))
    yield Look("A6", "columns that hold a time", on, tuple(_clocks(columns)))
    yield Look("A6", "columns that count up", on, tuple(_serials(connection, inspector, columns)))
    yield Look("A6", "foreign keys from an answer to a person, or to an answer", on, tuple(_ways(inspector, columns)))
    yield Look("A6", "triggers and rules that could write things down", on, tuple(_triggers(connection)))


def tables(inspector: Inspector) -> list[str]:
    """The names of everything that holds rows."""
    found = set(inspector.get_table_names())
    if inspector.dialect.name == "postgresql":
        found |= set(inspector.get_materialized_view_names())
    return sorted(found)


def _unknown(columns: Columns) -> Iterator[str]:
    known = {table.name: set(table.columns.keys()) for table in schema.metadata.tables.values()}
    for table, found in columns.items():
        if table == MIGRATIONS:
            continue
        if table not in known:
            yield f"the table {table}"
            continue
        for column in found:
            if column["name"] not in known[table]:
                yield f"{table}.{column['name']}"


def _clocks(columns: Columns) -> Iterator[str]:
    for table in WALLED:
        for column in columns.get(table, ()):
            is_filled_in = re.search(r"current_|now\(|timestamp", str(column["default"] or ""), re.IGNORECASE)
            if isinstance(column["type"], (Date, DateTime, Time, Interval)) or is_filled_in:
                yield f"{table}.{column['name']}"


def _serials(connection: Connection, inspector: Inspector, columns: Columns) -> Iterator[str]:
    for table in WALLED:
        if table not in columns:
            continue
        keys = inspector.get_pk_constraint(table)["constrained_columns"]
        for column in columns[table]:
            is_filled_in = bool(column.get("identity")) or "nextval" in str(column["default"] or "").lower()
            # A key of whole numbers is one that SQLite counts up by itself.
            is_number = isinstance(column["type"], Integer) and column["name"] in keys
            if is_filled_in or is_number:
                yield f"{table}.{column['name']}"
            elif keys == ["id"] and column["name"] == "id" and (told := _not_random(connection, table)):
                yield f"{table}.id: {count(told, 'key')} with a clock or counter inside"


def _not_random(connection: Connection, table: str) -> int:
    """How many keys are no random UUID: the fourth kind has a 4 as its thirteenth digit."""
    if schema.metadata.tables[table].c.id.type.python_type is bytes:
        return 0
    plain = "replace(CAST(id AS TEXT), '-', '')"
    statement = f"SELECT count(*) FROM {table} WHERE substr({plain}, 13, 1) <> '4'"  # noqa: S608 - names of ours
    return int(connection.scalar(text(statement)) or 0)


def _ways(inspector: Inspector, columns: Columns) -> Iterator[str]:
    for table in columns:
        for key in inspector.get_foreign_keys(table):
            target = key["referred_table"]
            leads_away = table in (*ANSWERS, "report") and target not in SUBJECTS
            leads_here = target in ANSWERS and table not in ANSWERS
            if leads_away or leads_here:
                yield f"{table}.{', '.join(key['constrained_columns'])} to {target}"


def _triggers(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        statement = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        statement = """
            SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
            UNION ALL
            SELECT c.relname, r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
            WHERE r.rulename <> '_RETURN' AND c.relnamespace = current_schema()::regnamespace
        """
    for table, name in connection.execute(text(statement)):
        if table == AuditEntry.__tablename__ and name in GUARDS:
            continue  # They keep the log from being changed, and write nothing.
        yield f"{name} on {table}"
