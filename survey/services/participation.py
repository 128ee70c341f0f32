"""While a cycle is open: how it goes, in counts, and who else is asked. Names nobody who has answered or has not."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from survey.core import cycles, nominations, participation
from survey.core.cycles import Phase
from survey.core.errors import BadInput, NotFound
from survey.core.mailings import CONSIDERATE, Pace
from survey.core.participation import Participation
from survey.core.relationships import Relationship
from survey.store import mailings
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, State
from survey.store.nominations import Nomination
from survey.store.people import Person, by_name


def of(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> dict[uuid.UUID, Participation]:
    """How each review of a cycle is going."""
    counts: dict[uuid.UUID, dict[str, int]] = {}
    for review_id, state, count in session.execute(
        select(Invitation.review_id, Invitation.state, func.count())
        .join(Review, Review.id == Invitation.review_id)
        .where(Review.cycle_id == cycle_id)
        .group_by(Invitation.review_id, Invitation.state)
    ):
        counts.setdefault(review_id, {})[state] = count
    rows = session.execute(
        select(Review.id, Review.invited, Review.answered, Cycle.minimum, Cycle.closes_at)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(Review.cycle_id == cycle_id)
    )
    return {
        review_id: participation.judge(
            {Relationship(kind): number for kind, number in (invited or {}).items()},
            answered=counts.get(review_id, {}).get(State.DONE, 0) if kept is None else kept,
            declined=counts.get(review_id, {}).get(State.DECLINED, 0),
            k=minimum,
            left=closes_at - now,
        )
        for review_id, invited, kept, minimum, closes_at in rows
    }


def totals(session: Session, cycle_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """How many are asked and how many have answered, per cycle."""
    rows = session.execute(
        select(
            Review.cycle_id,
            func.count(),
            func.count().filter(Invitation.state == State.DONE),
        )
        .join(Invitation, Invitation.review_id == Review.id)
        .where(Review.cycle_id.in_(list(cycle_ids)))
        .group_by(Review.cycle_id)
    )
    found = {cycle_id: (invited, answered) for cycle_id, invited, answered in rows}
    # Where the invitations are deleted, their number is left.
    for cycle_id, asked, kept in session.execute(
        select(Review.cycle_id, Review.invited, Review.answered).where(
            Review.cycle_id.in_(list(cycle_ids)), Review.answered.is_not(None)
        )
    ):
        invited, answered = found.get(cycle_id, (0, 0))
        found[cycle_id] = invited + sum((asked or {}).values()), answered + kept
    return found


def raters(session: Session, review_id: uuid.UUID) -> list[tuple[uuid.UUID, str, Relationship]]:
    """Who was chosen for a review, by name: what its launcher knows anyway. Never whether they answered."""
    rows = session.execute(
        select(Person.id, Person.name, Nomination.relationship)
        .join(Nomination, Nomination.rater_id == Person.id)
        .where(Nomination.review_id == review_id)
        .order_by(*by_name())
    )
    return [(person_id, name, Relationship(kind)) for person_id, name, kind in rows]


def add_rater(
    session: Session,
    review_id: uuid.UUID,
    rater_id: uuid.UUID,
    relationship: Relationship,
    *,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> None:
    """Asks one more person about somebody. They get their invitation like everybody else.

    Raises `NotFound`, `IllegalStep` when the cycle is not open or too little time is left, and `BadInput` for
    somebody who cannot be asked.
    """
    review = _open_review(session, review_id, now)
    rater = session.get(Person, rater_id)
    if rater is None or not rater.is_active:
        raise BadInput("This person is not known here.")
    chosen = {str(person_id): kind for person_id, _, kind in raters(session, review_id)}
    if str(rater_id) in chosen:
        raise BadInput(f"{rater.name} is asked about {review.subject.name} already.")
    nominations.check(str(review.subject_id), chosen | {str(rater_id): relationship})
    session.add(Nomination(review_id=review_id, rater_id=rater_id, relationship=relationship))
    session.add(Invitation(review_id=review_id, rater_id=rater_id, relationship=relationship))
    invited = dict(review.invited or {})
    review.invited = invited | {relationship: invited.get(relationship, 0) + 1}
    cycle = review.cycle
    mailings.join(
        session,
        cycle.id,
        rater_id,
        closes_at=cycle.closes_at,
        pace=pace,
        reminders=cycle.reminders,
        now=now,
    )
    session.flush()


def replace_rater(
    session: Session,
    review_id: uuid.UUID,
    rater_id: uuid.UUID,
    by_id: uuid.UUID,
    *,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> None:
    """Asks one person in place of another, as the same relationship.

    Whoever has answered by then stays counted, and nothing that the launcher sees tells which of the two it was.
    Raises as `add_rater` does.
    """
    review = _open_review(session, review_id, now)
    chosen = session.get(Nomination, (review_id, rater_id))
    if chosen is None or rater_id == review.subject_id:
        raise BadInput("This person is not asked here and cannot be replaced.")
    relationship = Relationship(chosen.relationship)
    session.delete(chosen)
    session.flush()
    add_rater(session, review_id, by_id, relationship, pace=pace, now=now)
    invited = dict(review.invited or {})
    review.invited = invited | {relationship: invited[relationship] - 1}
    replaced = select(Invitation.id).where(Invitation.review_id == review_id, Invitation.rater_id == rater_id)
    session.execute(delete(InvitationToken).where(InvitationToken.invitation_id.in_(replaced)))
    session.execute(
        update(Invitation)
        .where(Invitation.id.in_(replaced), Invitation.state == State.OPEN)
        .values(state=State.VOID)
        .execution_options(synchronize_session=False)
    )


def _open_review(session: Session, review_id: uuid.UUID, now: datetime) -> Review:
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    cycles.require(Phase(review.cycle.phase), Phase.OPEN)
    participation.require_notice(review.cycle.closes_at, now)
    return review
