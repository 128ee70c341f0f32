"""Asking one rater while a round is open, and asking for the word that an outside rater needs. Knows no answer."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from survey.core import nominations
from survey.core.cycles import Phase
from survey.core.errors import BadInput
from survey.core.letters import Kind
from survey.core.mailings import Pace
from survey.core.relationships import COLLEAGUES, Relationship
from survey.store import attempts, mailings, people
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, State
from survey.store.nominations import Nomination
from survey.store.people import Person


def invite(
    session: Session, review: Review, rater_id: uuid.UUID, kind: Relationship, *, pace: Pace, now: datetime
) -> None:
    """Invites a rater to a review that is open, for the first time or again.

    Whoever is asked again and has answered or declined before stays so. What is written, planned and counted is the
    same in both cases.
    """
    again = (Invitation.review_id == review.id, Invitation.rater_id == rater_id)
    if session.scalar(select(Invitation.id).where(*again)) is None:
        session.add(Invitation(review_id=review.id, rater_id=rater_id, relationship=kind))
    else:
        session.execute(
            update(Invitation)
            .where(*again, Invitation.state == State.VOID)
            .values(state=State.OPEN, relationship=kind)
            .execution_options(synchronize_session=False)
        )
    count(review, kind, 1)
    minutes = review.minutes or {}
    # A round that was opened before outside raters were known has no time of theirs.
    review.minutes = {kind: minutes.get(Relationship.OTHER, 1)} | minutes
    cycle = review.cycle
    mailings.join(session, cycle.id, rater_id, closes_at=cycle.closes_at, pace=pace, reminders=cycle.reminders, now=now)
    session.flush()


def withdraw(session: Session, review: Review, rater_id: uuid.UUID) -> Relationship:
    """Takes a rater out of a review that is open; the value is what they were asked as.

    Raises `BadInput` for somebody who is not asked there, and for the subject.
    """
    chosen = session.get(Nomination, (review.id, rater_id))
    if chosen is None or rater_id == review.subject_id:
        raise BadInput("This person is not asked here and cannot be replaced.")
    kind = Relationship(chosen.relationship)
    if not chosen.awaits_word:
        asked = and_(Invitation.review_id == review.id, Invitation.rater_id == rater_id)
        kind = Relationship(session.scalars(select(Invitation.relationship).where(asked)).one())
        count(review, kind, -1)
        void(session, select(Invitation.id).where(asked))
    session.delete(chosen)
    session.flush()
    return kind


def withdraw_where_set_up(session: Session, rater_id: uuid.UUID, by_id: uuid.UUID) -> None:
    """Takes a rater out of every open review that this person has set up, launched or chosen raters in.

    For when they give that rater another address: who answers from there may be themselves. What is attributed stays.
    """
    chosen = select(Review.cycle_id).join(Nomination).where(Nomination.chosen_by_id == by_id)
    reviews = session.scalars(
        select(Review)
        .join(Cycle)
        .join(Invitation, Invitation.review_id == Review.id)
        .join(Nomination, and_(Nomination.review_id == Review.id, Nomination.rater_id == Invitation.rater_id))
        .where(
            Cycle.phase == Phase.OPEN,
            or_(Cycle.launcher_id == by_id, Cycle.id.in_(chosen)),
            Invitation.rater_id == rater_id,
            Invitation.relationship.in_(COLLEAGUES),
        )
        .with_for_update(of=Review)
    ).all()
    for review in reviews:
        withdraw(session, review, rater_id)


def void(session: Session, invitations: Select[Any]) -> None:
    """These invitations open nothing any more. An answer that was given is no matter."""
    session.execute(
        update(Invitation)
        .where(Invitation.id.in_(invitations), Invitation.state == State.OPEN)
        .values(state=State.VOID)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(InvitationToken).where(InvitationToken.invitation_id.in_(invitations)))


def count(review: Review, kind: Relationship, change: int) -> None:
    """So many more places of a kind, or fewer."""
    invited = dict(review.invited or {})
    review.invited = invited | {kind: max(0, invited.get(kind, 0) + change)}


def ask_for_word(session: Session, review: Review, *, now: datetime) -> None:
    """Mails those whose word somebody of another company awaits, in place of an earlier mail about this review."""
    launcher, subject = review.cycle.launcher_id, review.subject_id
    asked = or_(Person.id == subject, attempts.IS_PEOPLE_OPERATIONS)
    attempts.tell(session, Kind.VOUCHING, review.id, and_(asked, Person.id != launcher), now=now)


def awaiting(session: Session, review: Review, person: Person) -> list[tuple[Nomination, Person]]:
    """Who awaits somebody's word in this review, and may have it from this person; by name."""
    rows = session.execute(
        select(Nomination, Person)
        .join(Person, Person.id == Nomination.rater_id)
        .where(Nomination.review_id == review.id, Nomination.awaits_word)
        .order_by(Person.name, Person.address)
    ).all()
    return [(row, rater) for row, rater in rows if _may_vouch(row, review, person)]


def waiting_reviews(session: Session, person: Person) -> list[Review]:
    """The reviews in which somebody awaits the word of this person."""
    is_waiting = select(Nomination.review_id).where(Nomination.awaits_word)
    rows = session.scalars(
        select(Review)
        .join(Cycle)
        .where(Review.id.in_(is_waiting), Cycle.phase.in_(nominations.VOUCHING))
        .order_by(Cycle.closes_at, Review.id)
    )
    return [review for review in rows if awaiting(session, review, person)]


def _may_vouch(row: Nomination, review: Review, person: Person) -> bool:
    return nominations.may_vouch(
        str(person.id),
        subject=str(review.subject_id),
        launcher=str(review.cycle.launcher_id),
        chosen_by=str(row.chosen_by_id) if row.chosen_by_id else None,
        is_people_operations=people.is_operator(person),
    )
