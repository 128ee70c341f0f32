"""Reading the audit log, and checking that it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core import audit
from survey.core.audit import Entry
from survey.store.audit import AuditEntry


def newest(session: Session, *, limit: int = 200, before: int | None = None) -> Sequence[Entry]:
    """The newest entries first; `before` names the entry to go on from."""
    entries = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if before is not None:
        entries = entries.where(AuditEntry.number < before)
    return [row.as_value() for row in session.scalars(entries)]


def verify(session: Session) -> int | None:
    """The number of the first entry that is missing or was changed, or None when the log is whole."""
    rows = session.scalars(select(AuditEntry).order_by(AuditEntry.number).execution_options(yield_per=1000))
    with closing(rows):
        return audit.first_broken(row.as_value() for row in rows)
