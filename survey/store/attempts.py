"""Attempts are counted before the work: what ends each of its workers is begun so often, and then told to people."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, delete, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from survey.core.access import Role
from survey.core.audit import Event
from survey.core.cycles import ATTEMPTS
from survey.core.letters import Kind
from survey.store import audit
from survey.store.cycles import Cycle, Review
from survey.store.outbox import Mail
from survey.store.people import Person

IS_PEOPLE_OPERATIONS = Person.role == Role.PEOPLE_OPERATIONS


def begin(session: Session, work: Update, attempts: InstrumentedAttribute[int]) -> bool:
    """Counts one more attempt at the row that `work` updates; False when there were enough. True where there is none.

    In a transaction that ends before the work begins: it must be known even if the attempt ends its worker.
    """
    number = session.scalar(
        work.values({attempts: attempts + 1}).returning(attempts).execution_options(synchronize_session=False)
    )
    return number is None or number <= ATTEMPTS


def due(session: Session, *is_due: ColumnElement[bool], then: InstrumentedAttribute[Any]) -> Sequence[uuid.UUID]:
    """The cycles whose step is due and not given up: those first that were begun least often, and `then` by this."""
    cycles = select(Cycle.id).where(*is_due, Cycle.attempts <= ATTEMPTS)
    return session.scalars(cycles.order_by(Cycle.attempts, then)).all()


def begin_step(
    session: Session, cycle_id: uuid.UUID, *is_due: ColumnElement[bool], step: str, kind: Kind, now: datetime
) -> bool:
    """As `begin`, for a step of a cycle. When there were enough, it is written down, and people are told."""
    if begin(session, update(Cycle).where(Cycle.id == cycle_id, *is_due), Cycle.attempts):
        return True
    launcher = select(Cycle.launcher_id).where(Cycle.id == cycle_id).scalar_subquery()
    tell(session, kind, cycle_id, or_(IS_PEOPLE_OPERATIONS, Person.id == launcher), now=now)
    audit.record(session, Event.STEP_GIVEN_UP, actor_id=None, about=cycle_id, now=now, detail={"step": step})
    return False


def set_apart(session: Session, review: Review, event: Event, *, now: datetime) -> None:
    """Sets a review apart: no sweep goes on with it until people operations have settled it; they get a mail."""
    review.is_objected = True
    tell(session, Kind.OBJECTION, review.id, IS_PEOPLE_OPERATIONS, now=now)
    audit.record(session, event, actor_id=None, about=review.id, now=now)


def tell(session: Session, kind: Kind, about: uuid.UUID, to: ColumnElement[bool], *, now: datetime) -> None:
    """Writes a mail of this kind to these people, in place of an earlier one about the same thing."""
    session.execute(delete(Mail).where(Mail.kind == kind, Mail.reference == about))
    session.add_all(
        Mail(kind=kind, person_id=person_id, reference=about, due_at=now)
        for person_id in session.scalars(select(Person.id).where(to, Person.is_active))
    )
    session.flush()
