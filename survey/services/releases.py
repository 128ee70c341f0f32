"""Reports that managers read first: given to the subjects, by date or by hand."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from survey.core import releases
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import IllegalStep
from survey.store import audit, outbox
from survey.store import cycles as rounds
from survey.store.cycles import Cycle, Review
from survey.store.people import Person


def to_subjects(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Lets the subjects of a cycle read their reports, and mails them. `actor_id` None: its day has come.

    Raises `IllegalStep` where nothing is held back from them.
    """
    cycle = rounds.locked(session, cycle_id)
    if releases.readers(Phase(cycle.phase), is_held=cycle.held_until is not None) != releases.MANAGERS:
        raise IllegalStep("The reports of this round are with the engineers already, or not released at all.")
    cycle.held_until = None
    session.add_all(outbox.about_reports(cycle.reviews, now))
    session.flush()
    audit.record(
        session, Event.CYCLE_RELEASED, actor_id=actor_id, about=cycle_id, now=now, detail={"to": "the engineers"}
    )


def unmanaged(session: Session, cycle_id: uuid.UUID) -> int:
    """How many people under review in this cycle have no manager here, who could read first."""
    found = (
        select(func.count())
        .select_from(Review)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id, Person.manager_id.is_(None))
    )
    return session.scalar(found) or 0


def due(session: Session, *, now: datetime) -> list[uuid.UUID]:
    """The cycles whose subjects may read their reports from now on, and could not yet."""
    return list(
        session.scalars(
            select(Cycle.id).where(Cycle.phase.in_(releases.READABLE), Cycle.held_until <= now).order_by(Cycle.id)
        )
    )
