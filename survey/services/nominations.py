"""Choosing who is asked about whom, while a cycle is a draft."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from survey.core import cycles, nominations
from survey.core.cycles import Phase
from survey.core.errors import BadInput, NotFound
from survey.core.relationships import Relationship
from survey.store.cycles import Review
from survey.store.nominations import Nomination
from survey.store.people import Person


def suggest(session: Session, subject: Person) -> dict[uuid.UUID, Relationship]:
    """Raters as the organisation chart has them: self, manager, those who share it, those who report to one."""
    raters = {subject.id: Relationship.SELF}
    if subject.manager_id is not None:
        raters[subject.manager_id] = Relationship.MANAGER
        peers = session.scalars(
            select(Person.id).where(Person.manager_id == subject.manager_id, Person.is_active, Person.id != subject.id)
        )
        raters |= dict.fromkeys(peers, Relationship.PEER)
    reporting = session.scalars(select(Person.id).where(Person.manager_id == subject.id, Person.is_active))
    return raters | dict.fromkeys(reporting, Relationship.DIRECT_REPORT)


def choose(session: Session, review_id: uuid.UUID, raters: Mapping[uuid.UUID, Relationship]) -> None:
    """Exactly these raters for the review, in place of those chosen before.

    Raises `NotFound`, `IllegalStep` after launch, and `BadInput` for raters that cannot be asked.
    """
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound("There is no such review.")
    cycles.require(Phase(review.cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    nominations.check(str(review.subject_id), {str(rater): kind for rater, kind in raters.items()})
    known = set(session.scalars(select(Person.id).where(Person.id.in_(raters.keys()), Person.is_active)))
    if len(known) < len(raters):
        raise BadInput("Some of these people are not known here any more. Please choose again.")
    session.execute(delete(Nomination).where(Nomination.review_id == review_id))
    session.add_all(
        Nomination(review_id=review_id, rater_id=rater, relationship=kind) for rater, kind in raters.items()
    )
    session.flush()


def of(session: Session, review_id: uuid.UUID) -> dict[uuid.UUID, Relationship]:
    """The raters chosen for a review so far."""
    rows = session.execute(
        select(Nomination.rater_id, Nomination.relationship).where(Nomination.review_id == review_id)
    )
    return {rater: Relationship(kind) for rater, kind in rows}


def load(session: Session, cycle_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """About how many people each rater of this cycle is asked."""
    rows = session.execute(
        select(Nomination.rater_id, func.count())
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id)
        .group_by(Nomination.rater_id)
    )
    return dict(rows.all())
