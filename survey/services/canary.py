"""Whether beat, redis, worker and database work together: a task writes a row, and whoever asks looks at its age."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from survey.store.canary import Canary

QUEUE = "celery"
SILENT_AFTER = timedelta(seconds=150)
"""As long as tasks may run that keep all children of a worker busy, and two beats."""


def sing(session: Session, *, now: datetime) -> None:
    """Writes down that a task ran now. Harmless when two do so at once, or late."""
    session.merge(Canary(name=QUEUE, sang_at=now))


def last_sang(session: Session) -> datetime | None:
    """When a task last ran, or None when none ever did."""
    canary = session.get(Canary, QUEUE)
    return canary.sang_at if canary else None


def is_alive(session: Session, *, now: datetime) -> bool:
    """Whether work that comes through the broker is being done."""
    sang_at = last_sang(session)
    return sang_at is not None and now - sang_at < SILENT_AFTER
