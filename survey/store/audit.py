"""What was done, by whom, to which round, person or report. Append-only, each entry chained to the one before."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import audit
from survey.core.audit import Entry, Event
from survey.store.base import Base, UtcDateTime


class AuditEntry(Base):
    """See survey.core.audit.Entry. No foreign keys: the log outlives what it is about, and whoever did it."""

    __tablename__ = "audit_entry"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    about: Mapped[uuid.UUID]
    detail: Mapped[dict[str, Any]]
    hash: Mapped[bytes]

    def as_value(self) -> Entry:
        """The entry as a value."""
        return Entry(self.number, self.at, Event(self.event), self.actor_id, self.about, self.detail, self.hash)


def record(
    session: Session,
    event: Event,
    *,
    actor_id: uuid.UUID | None,
    about: uuid.UUID,
    now: datetime,
    detail: Mapping[str, str] | None = None,
) -> None:
    """Appends an entry in this transaction. Call it last: on PostgreSQL others who record wait until this one ends."""
    if session.get_bind().dialect.name == "postgresql":
        # Two entries must not follow the same one. SQLite's writers take turns anyway.
        session.execute(text("LOCK TABLE audit_entry IN SHARE ROW EXCLUSIVE MODE"))
    newest = session.execute(
        select(AuditEntry.number, AuditEntry.hash).order_by(AuditEntry.number.desc()).limit(1)
    ).one_or_none()
    number, previous = (newest.number + 1, newest.hash) if newest else (1, audit.START)
    entry = Entry(number, now, event, actor_id, about, dict(detail or {}))
    session.add(
        AuditEntry(
            number=number,
            at=now,
            event=event,
            actor_id=actor_id,
            about=about,
            detail=entry.detail,
            hash=audit.link(entry, previous=previous),
        )
    )
    session.flush()
