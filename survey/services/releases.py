"""Reports that managers read first: given to the subjects, by date or by hand."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from survey.core import readers, releases
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import IllegalStep
from survey.core.letters import Kind
from survey.store import attempts, audit, outbox, people
from survey.store import cycles as rounds
from survey.store import readers as store
from survey.store.cycles import Cycle, Review
from survey.store.people import Person


def to_subjects(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Lets the subjects of a cycle read their reports, and mails them. `actor_id` None: its day has come.

    Raises `IllegalStep` where nothing is held back from them.
    """
    cycle = rounds.locked(session, cycle_id)
    if releases.readers(Phase(cycle.phase), is_held=cycle.held_until is not None) != releases.MANAGERS:
        raise IllegalStep("The reports of this round are with the engineers already, or not released at all.")
    cycle.held_until, cycle.attempts = None, 0
    session.add_all(outbox.about_reports([row for row in cycle.reviews if not row.is_given], now))
    session.flush()
    audit.record(
        session, Event.CYCLE_RELEASED, actor_id=actor_id, about=cycle_id, now=now, detail={"to": "the engineers"}
    )


def unmanaged(session: Session, cycle_id: uuid.UUID) -> int:
    """How many people under review in this cycle have no manager here, who could read first if it were released now."""
    chart = people.chart(session)
    here = {str(one) for one in session.scalars(select(Person.id).where(Person.is_active))}
    rows = session.execute(select(Review.subject_id, Review.managers).where(Review.cycle_id == cycle_id))
    return sum(here.isdisjoint(readers.settled(str(subject), managers, chart)) for subject, managers in rows)


def give_unread(session: Session, *, now: datetime) -> int:
    """Gives subjects the reports that are held back for managers of whom none is here any more; how many."""
    return len(store.give_unread(session, now=now))


def due(session: Session, *, now: datetime) -> Sequence[uuid.UUID]:
    """The cycles whose subjects may read their reports from now on, those first that were tried least often."""
    return attempts.due(session, *_is_due(now), then=Cycle.id)


def begin(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> bool:
    """Counts one more attempt to release a cycle that is due. When there were enough, people are told.

    The value is False then. In a transaction of its own: it must be known even if the attempt ends its worker.
    """
    return attempts.begin_step(session, cycle_id, *_is_due(now), step="release", kind=Kind.STUCK, now=now)


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Cycle.phase.in_(releases.READABLE), Cycle.held_until <= now
