"""What was said about a person, wherever it stands: it goes with the person, and with time."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from survey.store import schema

TABLES = ("cell", "comment", "withheld", "report", "plan", "report_reader")
"""Their rows belong to a review, and are all that was said of its subject."""


def forget(session: Session, reviews: Collection[uuid.UUID]) -> dict[str, int]:
    """Deletes all that was said about the subjects of these reviews; the value is how many rows, by table."""
    deleted = {}
    for name in TABLES:
        table = schema.metadata.tables[name]
        which = table.c.review_id.in_(reviews)
        deleted[name] = session.scalar(select(func.count()).select_from(table).where(which)) or 0
        session.execute(delete(table).where(which))
    return deleted
