"""Who reads a report beside its subject: asked for by later managers, given and taken back by the subject."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core import days
from survey.core import readers as rules
from survey.core.access import Standing
from survey.core.audit import Event
from survey.core.errors import BadInput, NotFound
from survey.core.letters import Kind
from survey.core.readers import Word
from survey.store import audit, outbox, people, readers
from survey.store.cycles import Cycle, Review, readable_by
from survey.store.people import Person, by_name
from survey.store.readers import ReportReader

MISSING = "There is no such report, or it has not been released yet."


@dataclass(frozen=True)
class Reader:
    """Somebody who reads a report about the subject, asks to, or could once."""

    review_id: uuid.UUID
    cycle: str
    person_id: uuid.UUID
    name: str
    word: Word
    is_manager: bool

    @property
    def may_be_ended(self) -> bool:
        """Whether the subject can take it back."""
        return rules.may_take_back(self.word, is_manager=self.is_manager)


@dataclass(frozen=True)
class Closed:
    """A report about somebody below that this manager may not read, and whether they have asked to."""

    review_id: uuid.UUID
    subject: str
    cycle: str
    closed_on: date
    word: Word | None


def of(session: Session, subject_id: uuid.UUID, review_id: uuid.UUID | None = None) -> list[Reader]:
    """Who reads the reports about this subject that they read themselves, or one of them, or asks to."""
    rows = session.execute(
        select(Review.id, Cycle.name, Person.id, Person.name, ReportReader.word)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(ReportReader, ReportReader.review_id == Review.id)
        .join(Person, Person.id == ReportReader.person_id)
        .where(
            Review.subject_id == subject_id,
            Person.is_active,
            readable_by(Standing.OWN),
            readers.is_confirmed(subject_id),
            *([] if review_id is None else [Review.id == review_id]),
        )
        .order_by(Cycle.closes_at.desc(), *by_name())
    ).all()
    managers = {row[2] for row in rows if people.reports_to(session, subject_id, row[2])}
    found = [Reader(*row[:4], Word(row.word), row[2] in managers) for row in rows]
    # Who asked as a manager, and is none any more, does not ask any more.
    return [one for one in found if one.is_manager or one.word is not Word.ASKED]


def closed(session: Session, person_id: uuid.UUID) -> Sequence[Closed]:
    """The reports about people below this person that are with their subjects, and closed to this person."""
    below = list(people.everybody_below(session, person_id) - {person_id})
    rows = session.execute(
        select(Review.id, Person.name, Cycle.name, Cycle.closes_at, Cycle.time_zone, ReportReader.word)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .outerjoin(ReportReader, (ReportReader.review_id == Review.id) & (ReportReader.person_id == person_id))
        .where(Review.subject_id.in_(below), Person.is_active, readable_by(Standing.OWN), ~readers.stands(person_id))
        .order_by(Cycle.closes_at.desc(), *by_name())
    )
    return [
        Closed(
            review_id,
            subject,
            cycle,
            days.last_day(closed_at, ZoneInfo(time_zone)),
            Word(word) if word else None,
        )
        for review_id, subject, cycle, closed_at, time_zone, word in rows
    ]


def standing(session: Session, review_id: uuid.UUID, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the question who reads a report: its subject, or a manager of theirs by now."""
    review = session.scalar(select(Review).join(Cycle).where(Review.id == review_id, readable_by(Standing.OWN)))
    if review is None:
        return frozenset()
    if review.subject_id == person_id:
        return readers.standing(session, review_id, person_id)
    return frozenset({Standing.MANAGES}) if people.reports_to(session, review.subject_id, person_id) else frozenset()


def ask(session: Session, review_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> bool:
    """Asks the subject of a report to let this manager read it, and mails them; False where there is nothing to ask.

    Raises `NotFound` for whoever is no manager of the subject, and `BadInput` once the subject has said no.
    """
    if Standing.MANAGES not in standing(session, review_id, actor_id):
        raise NotFound(MISSING)
    row = session.get(ReportReader, (review_id, actor_id))
    if row is not None and (row.word in rules.READING or row.word == Word.ASKED):
        return False
    if row is not None:
        raise BadInput("The answer was no. It can be changed by the person alone whose report it is.")
    session.add(ReportReader(review_id=review_id, person_id=actor_id, word=Word.ASKED))
    subject_id = session.get_one(Review, review_id).subject_id
    session.add(
        outbox.Mail(kind=Kind.READER_ASKS, person_id=subject_id, reference=review_id, slot=str(actor_id), due_at=now)
    )
    session.flush()
    return True


def say(
    session: Session, review_id: uuid.UUID, reader_id: uuid.UUID, *, is_yes: bool, actor_id: uuid.UUID, now: datetime
) -> Reader:
    """The subject's word: somebody may read their report, or may not any more.

    Raises `NotFound` for everybody but the subject, and for a reader who neither reads nor asks, and `BadInput` for a
    manager who was to read it from the start, as long as they are one.
    """
    if Standing.OWN not in standing(session, review_id, actor_id):
        raise NotFound(MISSING)
    reader = next((one for one in of(session, actor_id, review_id) if one.person_id == reader_id), None)
    if reader is None:
        raise NotFound("There is nobody to whom this could be said any more.")
    becomes = _becomes(reader, is_yes=is_yes)
    if becomes is reader.word:
        return reader
    session.get_one(ReportReader, (review_id, reader_id)).word = becomes
    detail = {"reader": "given" if is_yes else "not given"}
    audit.record(session, Event.READER_CHANGED, actor_id=actor_id, about=review_id, now=now, detail=detail)
    return reader


def _becomes(reader: Reader, *, is_yes: bool) -> Word:
    if is_yes:
        return reader.word if reader.word.may_read else Word.GIVEN
    if not reader.word.may_read:
        return Word.WITHDRAWN if reader.word is Word.WITHDRAWN else Word.REFUSED
    if not reader.may_be_ended:
        raise BadInput(f"{reader.name} is your manager, and was when the round opened: they can read this report.")
    return Word.WITHDRAWN
