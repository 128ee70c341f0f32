"""What was done, by whom, to which round, person or report. Append-only, each entry chained to the one before."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Index, Select, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import audit
from survey.core.audit import Entry, Event
from survey.store.base import Base, UtcDateTime, is_on_postgresql


class AuditEntry(Base):
    """See survey.core.audit.Entry. No foreign keys: the log outlives what it is about, and whoever did it."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_about", "about"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    event: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    about: Mapped[uuid.UUID]
    detail: Mapped[dict[str, Any]]
    hash: Mapped[bytes]


GUARDS = frozenset({"audit_entry_stays", "audit_entry_is_not_emptied"})
"""The triggers that refuse to change or delete an entry. See the migration that makes them."""


def read(session: Session, wanted: Select[Any]) -> list[Entry]:
    """The entries that are wanted, in their order; one that no program could have written is `UNREADABLE`."""
    try:
        return [_value(row) for row in session.execute(wanted.with_only_columns(*_COLUMNS))]
    except (ValueError, TypeError):
        # Something that is no time, key or JSON stands in one of them. The others are read all the same.
        numbers = session.scalars(wanted.with_only_columns(AuditEntry.number)).all()
        return [_read_one(session, number) for number in numbers]


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
    _take_turn(session)
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


def record_once_a_day(
    session: Session, event: Event, *, actor_id: uuid.UUID | None, about: uuid.UUID, now: datetime
) -> None:
    """Appends an entry as `record` does, unless there is the same one of the same day (UTC)."""
    if _is_recorded(session, event, actor_id, about, now):
        return
    _take_turn(session)
    if not _is_recorded(session, event, actor_id, about, now):
        record(session, event, actor_id=actor_id, about=about, now=now)


def is_recorded(session: Session, event: Event, *, about: uuid.UUID, since: datetime) -> bool:
    """Whether there is such an entry of that moment or later, whoever acted."""
    same = select(AuditEntry.number).where(AuditEntry.about == about, AuditEntry.event == event, AuditEntry.at >= since)
    return session.scalar(same.limit(1)) is not None


_COLUMNS = (
    AuditEntry.number,
    AuditEntry.at,
    AuditEntry.event,
    AuditEntry.actor_id,
    AuditEntry.about,
    AuditEntry.detail,
    AuditEntry.hash,
)


def _value(row: Any) -> Entry:
    number, at, event, actor_id, about, detail, digest = row
    return Entry(number, at, str(event), actor_id, about, detail, digest)


def _read_one(session: Session, number: int) -> Entry:
    try:
        return _value(session.execute(select(*_COLUMNS).where(AuditEntry.number == number)).one())
    except (ValueError, TypeError):
        return Entry(number, datetime.min.replace(tzinfo=UTC), audit.UNREADABLE, None, uuid.UUID(int=0), {})


def _take_turn(session: Session) -> None:
    """Two entries must not follow the same one. SQLite's writers take turns anyway."""
    if is_on_postgresql(session):
        session.execute(text("LOCK TABLE audit_entry IN SHARE ROW EXCLUSIVE MODE"))


def _is_recorded(session: Session, event: Event, actor_id: uuid.UUID | None, about: uuid.UUID, now: datetime) -> bool:
    begin = datetime.combine(now.astimezone(UTC).date(), time.min, UTC)
    same = select(AuditEntry.number).where(
        AuditEntry.about == about,
        AuditEntry.event == event,
        AuditEntry.actor_id == actor_id,
        AuditEntry.at >= begin,
        AuditEntry.at < begin + timedelta(days=1),
    )
    return session.scalar(same.limit(1)) is not None
