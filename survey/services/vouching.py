"""The word that somebody of another company needs before they are asked: of the subject, or of people operations."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core import cycles, nominations, participation
from survey.core.cycles import Phase
from survey.core.errors import BadInput, NotFound
from survey.core.mailings import CONSIDERATE, Pace
from survey.core.relationships import Relationship
from survey.store import asking, people
from survey.store.cycles import Review
from survey.store.nominations import Nomination
from survey.store.people import Person


@dataclass(frozen=True)
class Awaiting:
    """Somebody of another company who awaits a word, and who wants to ask them (empty: nobody knows)."""

    id: uuid.UUID
    name: str
    address: str
    chosen_by: str


@dataclass(frozen=True)
class Waiting:
    """A review in which somebody awaits the word of whoever looks."""

    review_id: uuid.UUID
    subject: str
    cycle: str
    raters: int


def waiting_for(session: Session, person: Person) -> list[Waiting]:
    """The reviews that wait for the word of this person."""
    return [
        Waiting(review.id, review.subject.name, review.cycle.name, len(asking.awaiting(session, review, person)))
        for review in asking.waiting_reviews(session, person)
    ]


def awaiting(session: Session, review_id: uuid.UUID, person: Person) -> list[Awaiting]:
    """Who awaits this person's word in a review. Raises `NotFound`."""
    rows = asking.awaiting(session, _review(session, review_id), person)
    names = people.names(session, {row.chosen_by_id for row, _ in rows if row.chosen_by_id})
    return [
        Awaiting(rater.id, rater.name, rater.address, names.get(row.chosen_by_id, "") if row.chosen_by_id else "")
        for row, rater in rows
    ]


def others(session: Session, review_id: uuid.UUID, person: Person) -> list[str]:
    """The names of those in a review who await a word that this person cannot give."""
    own = {one.id for one in awaiting(session, review_id, person)}
    rows = session.execute(
        select(Person.id, Person.name)
        .join(Nomination, Nomination.rater_id == Person.id)
        .where(Nomination.review_id == review_id, Nomination.awaits_word)
        .order_by(Person.name)
    )
    return [name for person_id, name in rows if person_id not in own]


def give(
    session: Session,
    review_id: uuid.UUID,
    rater_id: uuid.UUID,
    person: Person,
    *,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> None:
    """Takes this person's word that the rater may be asked. In an open round they get their invitation now.

    Raises `NotFound` where nobody awaits it from them, `IllegalStep` where it comes too late, and `BadInput` for a
    rater who is gone.
    """
    review, row = _locked(session, review_id, rater_id, person)
    phase = Phase(review.cycle.phase)
    cycles.require(phase, *nominations.VOUCHING)
    rater = session.get(Person, rater_id)
    if rater is None or not rater.is_active:
        raise BadInput("This person is not known here any more.")
    row.awaits_word = False
    if phase is Phase.OPEN:
        participation.require_notice(review.cycle.closes_at, now)
        asking.invite(session, review, rater_id, Relationship.OUTSIDE, pace=pace, now=now)
    session.flush()


def refuse(session: Session, review_id: uuid.UUID, rater_id: uuid.UUID, person: Person) -> None:
    """Takes the rater out of the choice. Raises `NotFound` where nobody awaits this person's word on them."""
    _, row = _locked(session, review_id, rater_id, person)
    session.delete(row)
    session.flush()


def _review(session: Session, review_id: uuid.UUID) -> Review:
    row = session.get(Review, review_id)
    if row is None:
        raise NotFound("There is no such review.")
    return row


def _locked(session: Session, review_id: uuid.UUID, rater_id: uuid.UUID, person: Person) -> tuple[Review, Nomination]:
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    for row, rater in asking.awaiting(session, review, person):
        if rater.id == rater_id:
            return review, row
    raise NotFound("Nobody awaits your word on this person, or not any more.")
