"""What was published of a review: cells and comments, written at the tally, and the report built from them. Once.

Between the tally and the release a comment can be taken out; nothing else ever changes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    Insert,
    Text,
    bindparam,
    cast,
    column,
    false,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import disclosure
from survey.core.disclosure import Band, Group
from survey.store.base import UNORDERED, Base, random_key

ATTRIBUTED = "\"group\" IN ('self', 'manager')"


class Cell(Base):
    """A figure that passed the rules of disclosure. See survey.core.disclosure.Cell."""

    __tablename__ = "cell"
    __table_args__ = (
        CheckConstraint(f"{ATTRIBUTED} OR n >= 3", name="minimum_holds"),
        CheckConstraint(f"{ATTRIBUTED} OR counts IS NULL OR n >= 6", name="distribution_from_six"),
        UNORDERED,
    )

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    total: Mapped[int | None]
    counts: Mapped[list[int] | None]
    band: Mapped[str | None]
    is_far_apart: Mapped[bool] = mapped_column(server_default=false())

    def as_value(self) -> disclosure.Cell:
        """The figure itself."""
        return _value(self)


class Comment(Base):
    """An open answer. Its key is random and shared with nothing: two comments of one person look like any two."""

    __tablename__ = "comment"
    __table_args__ = (Index("ix_comment_review_id", "review_id"), UNORDERED)

    id: Mapped[uuid.UUID] = random_key()
    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"))
    item: Mapped[str]
    group: Mapped[str]
    text: Mapped[str]


class Report(Base):
    """The finished, already safe value of a review, without its comments."""

    __tablename__ = "report"

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[dict[str, Any]]


class Withheld(Base):
    """How many comments on one question people operations took out before the release. Their texts are gone."""

    __tablename__ = "withheld"
    __table_args__ = (CheckConstraint("comments >= 1", name="some_were"), UNORDERED)

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    item: Mapped[str] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column(primary_key=True)
    comments: Mapped[int]


def write(session: Session, published: Mapping[uuid.UUID, disclosure.Published]) -> None:
    """Writes the cells and the comments of these reviews, in one statement for each of the two."""
    figures = [
        (
            review_id.hex,
            cell.item,
            cell.group,
            cell.n,
            cell.total,
            None if cell.counts is None else json.dumps(cell.counts),
            cell.band,
            cell.is_far_apart,
        )
        for review_id, own in published.items()
        for cell in own.cells
    ]
    texts = [
        (uuid.uuid4().hex, review_id.hex, comment.item, comment.group, comment.text)
        for review_id, own in published.items()
        for comment in own.comments
    ]
    for table, rows in ((Cell.__tablename__, figures), (Comment.__tablename__, texts)):
        if rows:
            _write(session.connection(), table, rows)


def _write(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Writes these rows, each in the order of the table's columns and as the database keeps it.

    PostgreSQL takes them as one value: one by one they take as long as counting them did. SQLite is quicker row by row.
    """
    if connection.dialect.name == "sqlite":
        plain = str(insert(Base.metadata.tables[table]).compile(dialect=connection.dialect))
        connection.exec_driver_sql(plain, list(rows))
    else:
        connection.execute(_insert(table), {"rows": json.dumps(rows)})


@cache
def _insert(name: str) -> Insert:
    """An INSERT of all rows of the JSON list `rows` into this table of PostgreSQL."""
    table = Base.metadata.tables[name]
    rows = cast(bindparam("rows", type_=Text), postgresql.JSON)
    one = func.json_array_elements(rows).table_valued(column("value", postgresql.JSON)).c.value
    found = [cast(one[place].astext, own.type) for place, own in enumerate(table.c)]
    return insert(table).from_select(list(table.c), select(*found))


def cells(session: Session, review_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[disclosure.Cell]]:
    """The figures of these reviews, review by review, in no order."""
    found: dict[uuid.UUID, list[disclosure.Cell]] = {review_id: [] for review_id in review_ids}
    for row in session.execute(_FOUND, {"ids": list(review_ids)}):
        found[row.review_id].append(_value(row))
    return found


def _value(row: Any) -> disclosure.Cell:
    return disclosure.Cell(
        row.item,
        Group(row.group),
        row.n,
        row.total,
        None if row.counts is None else tuple(row.counts),
        None if row.band is None else Band(row.band),
        row.is_far_apart,
    )


_FOUND = select(
    Cell.review_id, Cell.item, Cell.group, Cell.n, Cell.total, Cell.counts, Cell.band, Cell.is_far_apart
).where(Cell.review_id.in_(bindparam("ids", expanding=True)))
