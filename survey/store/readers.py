"""Who may read a report about somebody else, as it was settled at the release and as its subject said since."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, and_, exists, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import readers, releases
from survey.core.access import Standing
from survey.core.readers import Word
from survey.store import outbox, people
from survey.store.base import Base
from survey.store.changes import UnconfirmedAddress
from survey.store.cycles import Cycle, Review
from survey.store.people import Person


class ReportReader(Base):
    """Somebody who may read the report of a review, asked to, or could once. Knows nothing of raters."""

    __tablename__ = "report_reader"
    __table_args__ = (
        CheckConstraint("word IN ('settled', 'asked', 'given', 'refused', 'withdrawn')", name="word_is_known"),
        Index("ix_report_reader_person_id", "person_id"),
    )

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    word: Mapped[str]


def settle(session: Session, reviews: Collection[Review]) -> dict[uuid.UUID, tuple[uuid.UUID, ...]]:
    """Writes down who may read the reports of these reviews from now on; the value has them by review."""
    chart = people.chart(session)
    found = {
        review.id: tuple(uuid.UUID(one) for one in readers.settled(str(review.subject_id), review.managers, chart))
        for review in reviews
    }
    rows = [
        {"review_id": review_id, "person_id": person_id, "word": Word.SETTLED}
        for review_id, person_ids in found.items()
        for person_id in person_ids
    ]
    if rows:
        session.execute(insert(ReportReader), rows)
    return found


def standing(session: Session, review_id: uuid.UUID, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to a report, whether or not it is released. Nobody does at an unconfirmed address."""
    row = session.execute(
        select(Review.subject_id, ReportReader.word)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .outerjoin(ReportReader, and_(ReportReader.review_id == Review.id, ReportReader.person_id == person_id))
        .where(Review.id == review_id, is_confirmed(person_id))
    ).one_or_none()
    if row is None:
        return frozenset()
    if row.subject_id == person_id:
        return frozenset({Standing.OWN})
    return frozenset({Standing.MANAGES}) if row.word in readers.READING else frozenset()


def is_confirmed(person_id: uuid.UUID) -> ColumnElement[bool]:
    """The condition that this person had their address, or has confirmed it, before the cycle opened."""
    is_later = and_(UnconfirmedAddress.person_id == person_id, UnconfirmedAddress.since >= Cycle.opens_at)
    return ~exists().where(is_later).correlate(Cycle)


def stands(person_id: uuid.UUID, words: Collection[Word] = readers.READING) -> ColumnElement[bool]:
    """The condition that this person stands so to the report of the review."""
    is_theirs = (ReportReader.person_id == person_id, ReportReader.word.in_(words))
    return exists().where(ReportReader.review_id == Review.id, *is_theirs).correlate(Review)


def give_unread(session: Session, *, now: datetime) -> Sequence[Review]:
    """Gives the reports that are held back for managers to subjects whose managers are none, or not here any more."""
    is_reader = and_(ReportReader.review_id == Review.id, ReportReader.word.in_(readers.READING))
    somebody = select(Person.id).join(ReportReader, ReportReader.person_id == Person.id)
    reviews = session.scalars(
        select(Review)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(
            Cycle.phase.in_(releases.READABLE),
            Cycle.held_until.is_not(None),
            Review.is_given.is_(False),
            ~somebody.where(is_reader, Person.is_active).correlate(Review).exists(),
        )
    ).all()
    for review in reviews:
        review.is_given = True
    session.add_all(outbox.about_reports(reviews, now))
    session.flush()
    return reviews
