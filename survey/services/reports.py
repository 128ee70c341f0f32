"""Reading reports. What is read here was made safe at the tally; nothing is computed from answers.

Whoever reads or takes out somebody else's report is recorded, never who reads their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, ColumnElement, Select, Text, Uuid, bindparam, cast, literal, null, select, union_all
from sqlalchemy.orm import Session

from survey.core import days, releases, values
from survey.core.access import Standing
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.disclosure import Comment, Group
from survey.core.editions import Edition, Withheld
from survey.core.errors import NotFound
from survey.core.reports import Report
from survey.store import audit, readers, reports
from survey.store.cycles import Cycle, Review, readable_by
from survey.store.people import Person, by_name


def read(session: Session, review_id: uuid.UUID) -> Edition:
    """The released report of a review, whole, in one query. Raises `NotFound` before its release.

    What a reader gets is a `copy` of it, made for how they stand to it; `standing` says who may read it by now.
    """
    rows = session.execute(_RELEASED, {"review_id": review_id}).all()
    body = next((row.body for row in rows if row.body is not None), None)
    if body is None:
        raise NotFound("There is no such report: it has not been released yet, or is not kept any more.")
    subject_id, subject, cycle, closed_at, time_zone, phase, held_until, is_given, *_ = rows[0]
    said = [row for row in rows if row.item is not None]
    return Edition(
        review_id,
        subject_id,
        subject,
        cycle,
        closed_at,
        values.load(Report, body),
        tuple(Comment(row.item, Group(row.group), row.text) for row in said if not row.withheld),
        tuple(Withheld(row.item, Group(row.group), row.withheld) for row in said if row.withheld),
        readers=releases.readers(Phase(phase), is_held=held_until is not None and not is_given),
        zone=ZoneInfo(time_zone),
    )


def _released() -> Select[Any]:
    """The report of `:review_id`, its comments, and how many were withheld, each on a line of its own.

    The body, by far the longest of it, stands on one line alone, so that it is sent and parsed once.
    """
    review_id = bindparam("review_id", type_=Uuid())
    lines = union_all(
        select(
            reports.Report.review_id,
            reports.Report.body,
            cast(null(), Uuid).label("place"),
            cast(null(), Text).label("item"),
            cast(null(), Text).label("group"),
            cast(null(), Text).label("text"),
            literal(0).label("withheld"),
        ).where(reports.Report.review_id == review_id),
        select(
            reports.Comment.review_id,
            cast(null(), JSON),
            reports.Comment.id,
            reports.Comment.item,
            reports.Comment.group,
            reports.Comment.text,
            literal(0),
        ).where(reports.Comment.review_id == review_id),
        select(
            reports.Withheld.review_id,
            cast(null(), JSON),
            cast(null(), Uuid),
            reports.Withheld.item,
            reports.Withheld.group,
            cast(null(), Text),
            reports.Withheld.comments,
        ).where(reports.Withheld.review_id == review_id),
    ).subquery()
    return (
        select(
            Person.id,
            Person.name,
            Cycle.name,
            Cycle.closes_at,
            Cycle.time_zone,
            Cycle.phase,
            Cycle.held_until,
            Review.is_given,
            *lines.c,
        )
        .select_from(Review)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .join(lines, lines.c.review_id == Review.id)
        # Said again, so that PostgreSQL begins with the one row and does not look through all people.
        .where(Review.id == review_id, Cycle.phase.in_(releases.READABLE))
        .order_by(lines.c.place)
    )


_RELEASED = _released()


@dataclass(frozen=True)
class NothingPublished:
    """What stands in place of a report that does not exist. `was_objected`: the auditor would not let it through."""

    subject_id: uuid.UUID
    subject: str
    cycle: str
    was_objected: bool
    readers: frozenset[Standing]
    review_id: uuid.UUID


def nothing_published(session: Session, review_id: uuid.UUID) -> NothingPublished | None:
    """Of a released review without a report, because nothing was published for it: about whom it was. Else None."""
    row = session.execute(
        select(Person.id, Person.name, Cycle.name, Review.is_objected, Cycle.phase, Cycle.held_until, Review.is_given)
        .select_from(Review)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .outerjoin(reports.Report, reports.Report.review_id == Review.id)
        .where(
            Review.id == review_id,
            Review.is_tallied,
            Cycle.phase.in_(releases.READABLE),
            reports.Report.review_id.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    subject_id, subject, cycle, is_objected, phase, held_until, is_given = row
    may_read = releases.readers(Phase(phase), is_held=held_until is not None and not is_given)
    return NothingPublished(subject_id, subject, cycle, is_objected, may_read, review_id)


def about(session: Session, person_id: uuid.UUID) -> Sequence[Edition]:
    """Every released report about one person, whole, the newest first; a review without a report is left out."""
    rows = session.scalars(
        select(Review.id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(reports.Report, reports.Report.review_id == Review.id)
        .where(Review.subject_id == person_id, readable_by(Standing.OWN))
        .order_by(Cycle.closes_at.desc(), Cycle.id)
    ).all()
    return [read(session, review_id) for review_id in rows]


def standing(session: Session, edition: Edition | NothingPublished, person_id: uuid.UUID) -> frozenset[Standing]:
    """How this person stands to the report; empty as long as whoever stands so may not read it yet."""
    return edition.readers & readers.standing(session, edition.review_id, person_id)


def note_reading(session: Session, edition: Edition, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Writes down that somebody (None: an operator) reads the report of another person, once a day."""
    audit.record_once_a_day(session, Event.REPORT_READ, actor_id=actor_id, about=edition.review_id, now=now)


def note_export(session: Session, edition: Edition, *, actor_id: uuid.UUID | None, form: str, now: datetime) -> None:
    """Writes down that somebody (None: an operator) saved the report of another person, in which form."""
    audit.record(
        session, Event.REPORT_EXPORTED, actor_id=actor_id, about=edition.review_id, now=now, detail={"form": form}
    )


@dataclass(frozen=True)
class Listed:
    """A report in a list."""

    review_id: uuid.UUID
    subject: str
    cycle: str
    closed_on: date


def own(session: Session, person_id: uuid.UUID) -> Sequence[Listed]:
    """The reports about this person that they may read by now, the newest first."""
    return _listed(session, Review.subject_id == person_id, readable_by(Standing.OWN), readers.is_confirmed(person_id))


def lent(session: Session, person_id: uuid.UUID) -> Sequence[Listed]:
    """The reports about others that this person may read by now, the newest first."""
    is_lent = readers.stands(person_id)
    return _listed(session, is_lent, readable_by(Standing.MANAGES), readers.is_confirmed(person_id))


def _listed(session: Session, *conditions: ColumnElement[bool]) -> Sequence[Listed]:
    rows = session.execute(
        select(Review.id, Person.name, Cycle.name, Cycle.closes_at, Cycle.time_zone)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .where(*conditions)
        .order_by(Cycle.closes_at.desc(), *by_name())
    )
    return [
        Listed(review_id, subject, cycle, days.last_day(closed_at, ZoneInfo(time_zone)))
        for review_id, subject, cycle, closed_at, time_zone in rows
    ]
