"""Plans: made, changed, shared and forgotten by the subject of a report, whose alone they are."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from survey.core import days, plans
from survey.core.access import Standing
from survey.core.errors import BadInput, NotFound
from survey.core.letters import Kind
from survey.core.plans import Plan, Step
from survey.store import people, readers
from survey.store import plans as store
from survey.store.cycles import Cycle, Review, readable_by
from survey.store.mailings import time_zone_of
from survey.store.outbox import Mail, State
from survey.store.people import Person

MISSING = "There is no such plan."


def of(session: Session, review_id: uuid.UUID) -> Plan | None:
    """The plan of a review, if there is one."""
    found = _plans(session, store.Plan.review_id == review_id)
    return found[0] if found else None


def seen(session: Session, subject_id: uuid.UUID, reader_id: uuid.UUID) -> Sequence[Plan]:
    """The plans of this subject that this reader may see: all of their own, of others' what is shared with them.

    The newest first. Whoever asks for somebody else's must manage them: see `standing`.
    """
    is_shown = or_(Review.subject_id == reader_id, store.Plan.shared_with_id == reader_id)
    return _plans(session, Review.subject_id == subject_id, is_shown, readers.is_confirmed(reader_id))


def shared_with(session: Session, person_id: uuid.UUID) -> Sequence[Plan]:
    """The plans that this person may read because they were shared with them, the newest first."""
    found = _plans(session, store.Plan.shared_with_id == person_id, readers.is_confirmed(person_id))
    below = people.everybody_below(session, person_id)
    return [plan for plan in found if plan.subject_id in below]


def standing(session: Session, plan: Plan, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the plan: a manager only to one that was shared with them, and while they are.

    Nobody does at an address that is not confirmed: see `survey.store.readers`.
    """
    if not _is_confirmed(session, plan.review_id, person_id):
        return frozenset()
    if plan.subject_id == person_id:
        return frozenset({Standing.OWN})
    if plan.shared_with_id == person_id and people.reports_to(session, plan.subject_id, person_id):
        return frozenset({Standing.MANAGES})
    return frozenset()


def manager(session: Session, person_id: uuid.UUID) -> Person | None:
    """With whom this person can share a plan."""
    person = session.get(Person, person_id)
    found = session.get(Person, person.manager_id) if person and person.manager_id else None
    return found if found and found.is_active else None


def save(
    session: Session,
    review_id: uuid.UUID,
    steps: Sequence[Step],
    check_in_on: date | None,
    *,
    home: tzinfo = UTC,
    now: datetime,
) -> None:
    """Makes the plan of a review, or changes it; the reminder is written, moved or removed with it.

    Days are those of the subject, who is at `home` where nothing else is known. Raises `BadInput` for steps or a day
    that cannot be.
    """
    row = session.get(store.Plan, review_id)
    checked = plans.check_steps(steps)
    zone = time_zone_of(session.get_one(Review, review_id).subject, home)
    day = plans.check_day(check_in_on, today=days.local_day(now, zone), before=row.check_in_on if row else None)
    if row is None:
        row = store.Plan(review_id=review_id, note="")
        session.add(row)
    row.steps.clear()
    # The old steps go before new ones take their places.
    session.flush()
    row.steps = [
        store.PlannedStep(position=position, text=step.text, page=step.page, sentence=step.sentence, is_own=step.is_own)
        for position, step in enumerate(checked, 1)
    ]
    if row.check_in_on != day:
        row.check_in_on = day
        _remind(session, review_id, day, zone)
    session.flush()


def note(session: Session, review_id: uuid.UUID, text: str) -> None:
    """Keeps what the subject says of how it went."""
    _row(session, review_id).note = plans.check_note(text)


def share(session: Session, review_id: uuid.UUID) -> None:
    """Lets the subject's manager read the plan. Raises `BadInput` where there is no manager."""
    row = _row(session, review_id)
    review = session.get_one(Review, review_id)
    found = manager(session, review.subject_id)
    if found is None:
        raise BadInput("You have no manager here with whom the plan could be shared.")
    row.shared_with_id = found.id


def withdraw(session: Session, review_id: uuid.UUID) -> None:
    """Lets nobody but the subject read the plan any more."""
    _row(session, review_id).shared_with_id = None


def forget(session: Session, review_id: uuid.UUID) -> None:
    """Deletes the plan, with its note and its reminder."""
    session.delete(_row(session, review_id))
    _remind(session, review_id, None, UTC)
    session.flush()


def _is_confirmed(session: Session, review_id: uuid.UUID, person_id: uuid.UUID) -> bool:
    of_review = select(Review.id).join(Cycle).where(Review.id == review_id, readers.is_confirmed(person_id))
    return session.scalar(of_review) is not None


def _row(session: Session, review_id: uuid.UUID) -> store.Plan:
    row = session.get(store.Plan, review_id)
    if row is None:
        raise NotFound(MISSING)
    return row


def _remind(session: Session, review_id: uuid.UUID, day: date | None, zone: tzinfo) -> None:
    """Writes the mail of this check-in in place of whatever has not gone out."""
    session.execute(
        delete(Mail).where(Mail.kind == Kind.CHECK_IN, Mail.reference == review_id, Mail.state == State.WAITING)
    )
    if day is None:
        return
    subject = session.get_one(Review, review_id).subject
    session.add(
        Mail(
            kind=Kind.CHECK_IN,
            person_id=subject.id,
            reference=review_id,
            slot=day.isoformat(),
            due_at=plans.reminder_at(day, zone),
        )
    )


def _plans(session: Session, *conditions: ColumnElement[bool]) -> list[Plan]:
    """In two queries at most: the plans, and their steps."""
    rows = session.execute(
        select(store.Plan, Person.id, Person.name, Cycle.name, Cycle.closes_at)
        .join(Review, Review.id == store.Plan.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .where(*conditions, readable_by(Standing.OWN))
        .order_by(Cycle.closes_at.desc())
    )
    return [
        Plan(
            row.review_id,
            subject_id,
            subject,
            cycle,
            closed_at,
            tuple(Step(step.text, step.page, step.sentence, step.is_own) for step in row.steps),
            row.check_in_on,
            row.note,
            row.shared_with_id,
        )
        for row, subject_id, subject, cycle, closed_at in rows
    ]
