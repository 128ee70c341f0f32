"""Reading reports. What is read here was made safe at the tally; nothing is computed from answers.

Whoever reads or takes out somebody else's report is recorded, never who reads their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from survey.core import values
from survey.core.access import Standing
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.disclosure import Comment, Group
from survey.core.errors import NotFound
from survey.core.reports import Report
from survey.store import audit, people, reports
from survey.store.cycles import Cycle, Review
from survey.store.people import Person

READABLE = (Phase.RELEASED, Phase.ARCHIVED)


@dataclass(frozen=True)
class Withheld:
    """How many comments on one question people operations withheld, and how many of these were anonymous."""

    item: str
    comments: int
    anonymous: int


@dataclass(frozen=True)
class Edition:
    """A report with its comments and what stands on its cover. `private` answers are the subject's alone."""

    review_id: uuid.UUID
    subject_id: uuid.UUID
    subject: str
    cycle: str
    closed_at: datetime
    report: Report
    comments: tuple[Comment, ...]
    withheld: tuple[Withheld, ...] = ()


def read(session: Session, review_id: uuid.UUID) -> Edition:
    """The released report of a review, in two queries. Raises `NotFound` before its release."""
    rows = session.execute(
        select(
            reports.Report.body,
            Person.id,
            Person.name,
            Cycle.name,
            Cycle.closes_at,
            reports.Comment.item,
            reports.Comment.group,
            reports.Comment.text,
        )
        .join(Review, Review.id == reports.Report.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .outerjoin(reports.Comment, reports.Comment.review_id == Review.id)
        .where(reports.Report.review_id == review_id, Cycle.phase.in_(READABLE))
        .order_by(reports.Comment.id)
    ).all()
    if not rows:
        raise NotFound("There is no such report, or it has not been released yet.")
    body, subject_id, subject, cycle, closed_at, *_ = rows[0]
    return Edition(
        review_id,
        subject_id,
        subject,
        cycle,
        closed_at,
        values.load(Report, body),
        tuple(Comment(item, Group(group), text) for *_, item, group, text in rows if item is not None),
        _withheld(session, review_id),
    )


def note_reading(session: Session, review_id: uuid.UUID, *, reader_id: uuid.UUID | None, now: datetime) -> None:
    """Records that somebody reads the report of somebody else, once a day."""
    audit.record_once_a_day(session, Event.REPORT_READ, actor_id=reader_id, about=review_id, now=now)


def note_export(
    session: Session, review_id: uuid.UUID, *, reader_id: uuid.UUID | None, form: str, now: datetime
) -> None:
    """Records that somebody takes the report of somebody else out of the program in this form."""
    detail = {"form": form}
    audit.record(session, Event.REPORT_EXPORTED, actor_id=reader_id, about=review_id, now=now, detail=detail)


def standing(session: Session, edition: Edition, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the report."""
    if edition.subject_id == person_id:
        return frozenset({Standing.OWN})
    if people.reports_to(session, edition.subject_id, person_id):
        return frozenset({Standing.MANAGES})
    return frozenset()


@dataclass(frozen=True)
class Listed:
    """A report in a list."""

    review_id: uuid.UUID
    subject: str
    cycle: str
    closed_at: datetime


def readable(session: Session, subject_ids: Sequence[uuid.UUID]) -> Sequence[Listed]:
    """The released reports about these people, the newest first."""
    rows = session.execute(
        select(Review.id, Person.name, Cycle.name, Cycle.closes_at)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.subject_id.in_(subject_ids), Cycle.phase.in_(READABLE))
        .order_by(Cycle.closes_at.desc(), Person.name)
    )
    return [Listed(*row) for row in rows]


def _withheld(session: Session, review_id: uuid.UUID) -> tuple[Withheld, ...]:
    number = reports.Withheld.comments
    attributed = reports.Withheld.group.in_([Group.SELF, Group.MANAGER])
    rows = session.execute(
        select(reports.Withheld.item, func.sum(number), func.coalesce(func.sum(number).filter(~attributed), 0))
        .where(reports.Withheld.review_id == review_id)
        .group_by(reports.Withheld.item)
    )
    return tuple(Withheld(*row) for row in rows)
