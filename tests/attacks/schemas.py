"""The rule for tables: nothing leads from an answer to a person, and nothing says when or in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.orm import Mapper
from sqlalchemy.types import Date, DateTime, Integer, Interval, Time

ANSWERS = ("envelope", "draft", "cell", "comment", "withheld", "report")
RATERS = ("nomination", "invitation", "invitation_token", "outbox", "mailing", "snooze", "refused_address")

COLUMNS = {
    # Who chose a rater, and whether somebody must vouch for them: both are settled before anybody is asked.
    "nomination": {"review_id", "rater_id", "relationship", "chosen_by_id", "awaits_word"},
    "invitation": {"id", "review_id", "rater_id", "relationship", "state"},
    "invitation_token": {"hash", "invitation_id", "stop_hash"},
    "outbox": {"id", "kind", "person_id", "reference", "slot", "due_at", "attempts", "lease_until", "state"},
    "envelope": {"id", "review_id", "box"},
    "draft": {"id", "cycle_id", "box"},
    "cell": {"review_id", "item", "group", "n", "total", "counts", "band", "is_far_apart"},
    "comment": {"id", "review_id", "item", "group", "text"},
    "withheld": {"review_id", "item", "group", "comments"},
    "report": {"review_id", "body"},
    "mailing": {"person_id", "cycle_id", "slot", "due_at", "mail_id"},
    "snooze": {"person_id", "cycle_id", "until"},
    "refused_address": {"person_id", "address"},
}
"""Every column that these tables may have. Whoever adds one says in docs/threat-model.md what it tells of raters."""

TIMES = {("outbox", "due_at"), ("outbox", "lease_until"), ("mailing", "due_at"), ("snooze", "until")}
"""The times of the plan, which are the same whatever a rater does, and the day that a rater wishes for."""

COUNTERS = {("outbox", "attempts"), ("withheld", "comments"), *(("cell", name) for name in ("n", "total"))}
"""Whole numbers that are no order: tries of the mail server, and figures."""

SUBJECTS = {"review", "cycle"}
"""Where the key of an answer may lead: to what it is about."""


def faults(metadata: MetaData, mappers: Iterable[Mapper] = ()) -> list[str]:
    """A phrase for each thing in this schema that could lead from an answer to a person."""
    return [
        *_unlisted(metadata),
        *(fault for name in COLUMNS if name in metadata.tables for fault in _ordered(metadata.tables[name])),
        *(fault for table in metadata.tables.values() for fault in _ways(table)),
        *_relationships(mappers),
    ]


def _unlisted(metadata: MetaData) -> Iterator[str]:
    for name, allowed in COLUMNS.items():
        there = set(metadata.tables[name].columns.keys()) if name in metadata.tables else set()
        yield from (f"{name}.{column} is not on the list" for column in sorted(there - allowed))
        yield from (f"{name}.{column} is on the list and not there" for column in sorted(allowed - there))


def _ordered(table: Table) -> Iterator[str]:
    """Clocks, counters, keys that are counted up, and rows that SQLite numbers."""
    for column in table.columns:
        place = (table.name, column.name)
        is_clock = isinstance(column.type, Date | DateTime | Time | Interval)
        if (is_clock and place not in TIMES) or _is_filled_in_by_a_clock(column):
            yield f"{table.name}.{column.name} holds a time"
        if column.identity or column.autoincrement is True or (isinstance(column.type, Integer) and column.primary_key):
            yield f"{table.name}.{column.name} counts up"
        elif isinstance(column.type, Integer) and place not in COUNTERS:
            yield f"{table.name}.{column.name} could count up"
    # A report is one row of a review; its number says in which order reviews were counted.
    if table.name != "report" and table.dialect_options["sqlite"]["with_rowid"]:
        yield f"{table.name} has row numbers in SQLite"


def _is_filled_in_by_a_clock(column: Column) -> bool:
    makers = (column.default, column.server_default, column.onupdate, column.server_onupdate)
    words = " ".join(str(getattr(maker, "arg", "")) for maker in makers if maker is not None).lower()
    return any(word in words for word in ("now(", "current_", "timestamp", "uuid1", "uuid6", "uuid7", "nextval"))


def _ways(table: Table) -> Iterator[str]:
    for key in table.foreign_keys:
        target = key.target_fullname.split(".")[0]
        if table.name in ANSWERS and target not in SUBJECTS:
            yield f"{table.name}.{key.parent.name} leads to {target}"
        if target in ANSWERS:
            yield f"{table.name}.{key.parent.name} leads to {target}"
        if target in RATERS and table.name not in COLUMNS:
            yield f"{table.name}.{key.parent.name} leads to {target}"


def _relationships(mappers: Iterable[Mapper]) -> Iterator[str]:
    """An answer is an end of no relationship(): what can be walked one way is soon walked the other."""
    for mapper in mappers:
        for each in mapper.relationships:
            ends = {mapper.local_table.name, each.mapper.local_table.name}
            if ends & set(ANSWERS):
                yield f"relationship {mapper.local_table.name}.{each.key} to {each.mapper.local_table.name}"
