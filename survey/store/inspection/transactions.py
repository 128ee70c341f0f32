"""What PostgreSQL itself remembers of each row: the transaction that wrote it, and perhaps the time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, inspect, text

from survey.store import schema
from survey.store.inspection import walls
from survey.store.inspection.looks import Look, count

SEALED = frozenset({"invitation", "envelope", "draft"})
"""Nothing in these can be read, so that it tells nobody anything with whom they share a transaction."""

PUBLISHED = ("cell", "comment", "report")

Ages = dict[str, int]
"""Transactions by their number, with how many have begun since."""


def look(connection: Connection) -> Iterator[Look]:
    """Joins of answered invitations with whatever can be read, by transaction and by the order of transactions."""
    invitations = connection.execute(text("SELECT review_id, xmin::text, age(xmin), state FROM invitation")).all()
    invited = Counter(review for review, *_ in invitations)
    answered: dict[Any, Ages] = defaultdict(dict)
    together: Counter[tuple[Any, str]] = Counter()
    for review, transaction, age, state in invitations:
        if state == "done":
            answered[review][transaction] = age
            together[review, transaction] += 1
    # A dump that was played back wrote all invitations of a review in one transaction, which tells nobody apart.
    telling = {transaction for (review, transaction), number in together.items() if number < invited[review]}
    readable = [table for table in walls.tables(inspect(connection)) if table not in SEALED]
    rows = {table: _rows(connection, table) for table in readable}
    on = f"{count(together.total(), 'answered invitation')}, {count(sum(n.total() for n in rows.values()), 'row')}"
    shared = {table: sum(numbers[transaction] for transaction in telling) for table, numbers in rows.items()}
    yield Look(
        "A1",
        "rows written in the transaction of an answer (xmin)",
        on,
        tuple(f"{table}: {count(number, 'row')}" for table, number in shared.items() if number),
    )
    yield Look("A1", "rows written one by one between answers (order of xmin)", on, tuple(_lists(connection, answered)))
    yield Look("A6", "times of commits kept by PostgreSQL", "its settings", tuple(_commit_times(connection)))
    yield Look("A7", "statements with their values in PostgreSQL's log", "its settings", tuple(_logged(connection)))


def _rows(connection: Connection, table: str) -> Counter[str]:
    """How many rows each transaction wrote."""
    name = connection.dialect.identifier_preparer.quote(table)
    statement = f"SELECT xmin::text, count(*) FROM {name} GROUP BY 1"  # noqa: S608 - a quoted name of a table
    return Counter({row[0]: row[1] for row in connection.execute(text(statement))})


def _lists(connection: Connection, answered: Mapping[Any, Ages]) -> Iterator[str]:
    """Tables whose rows were written between answers, so that their order is the order of the answers."""
    for table in PUBLISHED:
        ages: dict[Any, Ages] = defaultdict(dict)
        statement = f"SELECT review_id, xmin::text, min(age(xmin)) FROM {table} GROUP BY 1, 2"  # noqa: S608
        for review, transaction, age in connection.execute(text(statement)):
            ages[review][transaction] = age
        # One transaction is the count itself: it comes after all answers, but an invitation may be touched later.
        if reviews := sum(_between(ages[review], answered[review]) > 1 for review in answered):
            yield f"{table}: in {count(reviews, 'review')}"
    everybody = {transaction: age for ages in answered.values() for transaction, age in ages.items()}
    for table in walls.tables(inspect(connection)):
        if table in schema.metadata.tables or table == walls.MIGRATIONS:
            continue
        name = connection.dialect.identifier_preparer.quote(table)
        statement = f"SELECT xmin::text, min(age(xmin)) FROM {name} GROUP BY 1"  # noqa: S608 - as above
        written = {row[0]: row[1] for row in connection.execute(text(statement))}
        if (number := _between(written, everybody)) > 1 and 2 * number >= len(everybody):
            yield f"{table}: {count(number, 'transaction')}"


def _between(written: Ages, answered: Ages) -> int:
    """How many transactions began after the first of the answers and before the last."""
    if not answered:
        return 0
    youngest, oldest = min(answered.values()), max(answered.values())
    return sum(youngest < age < oldest for age in written.values())


def _commit_times(connection: Connection) -> Iterator[str]:
    if _setting(connection, "track_commit_timestamp") == "on":
        yield "track_commit_timestamp is on"


def _logged(connection: Connection) -> Iterator[str]:
    if (bytes_ := _setting(connection, "log_parameter_max_length_on_error")) != "0":
        yield f"log_parameter_max_length_on_error is {bytes_}"
    if _setting(connection, "log_parameter_max_length") == "0":
        return
    if (level := _setting(connection, "log_statement")) in {"mod", "all"}:
        yield f"log_statement is {level}"
    for name in ("log_min_duration_statement", "log_min_duration_sample"):
        if (least := _setting(connection, name)) != "-1":
            yield f"{name} is {least}"
    if (share := _setting(connection, "log_transaction_sample_rate")) not in {"0", "-1"}:
        yield f"log_transaction_sample_rate is {share}"


def _setting(connection: Connection, name: str) -> str:
    return str(connection.scalar(text("SELECT setting FROM pg_settings WHERE name = :name"), {"name": name}))
