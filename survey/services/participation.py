"""While a cycle is open: how it goes, in counts, and who is asked. Names nobody who has answered or has not."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from survey.core import cycles, nominations, participation
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import BadInput, NotFound
from survey.core.mailings import CONSIDERATE, Pace
from survey.core.participation import Participation
from survey.core.relationships import Relationship
from survey.store import asking, audit, hands, mailings, openings
from survey.store import cycles as rounds
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, State
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
    """How many are asked and how many have answered, per cycle.

    Of each review never more have answered than are asked: who was replaced or withdrawn is in neither number.
    """
    nominated = (
        select(Nomination.review_id, func.count().label("asked"))
        .where(Nomination.awaits_word.is_(False))
        .group_by(Nomination.review_id)
        .subquery()
    )
    finished = (
        select(Invitation.review_id, func.count().filter(Invitation.state == State.DONE).label("answered"))
        .group_by(Invitation.review_id)
        .subquery()
    )
    asked, answered = func.coalesce(nominated.c.asked, 0), finished.c.answered
    rows = session.execute(
        select(Review.cycle_id, func.sum(asked), func.sum(case((answered > asked, asked), else_=answered)))
        .join(finished, finished.c.review_id == Review.id)
        .outerjoin(nominated, nominated.c.review_id == Review.id)
        .where(Review.cycle_id.in_(list(cycle_ids)))
        .group_by(Review.cycle_id)
    )
    found = {cycle_id: (int(invited), int(answered)) for cycle_id, invited, answered in rows}
    # Where the invitations are deleted, their number is left.
    for cycle_id, asked_as, kept in session.execute(
        select(Review.cycle_id, Review.invited, Review.answered).where(
            Review.cycle_id.in_(list(cycle_ids)), Review.answered.is_not(None)
        )
    ):
        places = sum((asked_as or {}).values())
        invited, so_far = found.get(cycle_id, (0, 0))
        found[cycle_id] = invited + places, so_far + participation.shown(kept, places)
    return found


@dataclass(frozen=True)
class Asked:
    """A rater of a review that is open, as whoever runs the round knows them. Never whether they have answered.

    `awaits_word`: they are of another company, and nobody has vouched for them yet.
    """

    id: uuid.UUID
    name: str
    relationship: Relationship
    awaits_word: bool


def raters(session: Session, review_id: uuid.UUID) -> list[Asked]:
    """Who is asked in a review, by name, each as what they are counted."""
    rows = session.execute(
        select(
            Person.id,
            Person.name,
            func.coalesce(Invitation.relationship, Nomination.relationship),
            Nomination.awaits_word,
        )
        .join(Nomination, Nomination.rater_id == Person.id)
        .outerjoin(
            Invitation,
            and_(Invitation.review_id == Nomination.review_id, Invitation.rater_id == Nomination.rater_id),
        )
        .where(Nomination.review_id == review_id)
        .order_by(*by_name())
    )
    return [Asked(person_id, name, Relationship(kind), waits) for person_id, name, kind, waits in rows]


@dataclass(frozen=True)
class Manager:
    """Whom the subject of a review reports to now; `is_asked`: as their manager, and not as anybody else."""

    id: uuid.UUID
    name: str
    is_asked: bool


def manager(session: Session, review_id: uuid.UUID) -> Manager | None:
    """The subject's manager as the directory has it now; a change there changes nothing about who is asked."""
    review = session.get(Review, review_id)
    if review is None or review.subject.manager_id is None:
        return None
    row = session.get_one(Person, review.subject.manager_id)
    asked = {one.id: one.relationship for one in raters(session, review_id)}
    return Manager(row.id, row.name, asked.get(row.id) is Relationship.MANAGER)


def add_rater(
    session: Session,
    review_id: uuid.UUID,
    rater_id: uuid.UUID,
    relationship: Relationship,
    *,
    actor_id: uuid.UUID | None = None,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> bool:
    """Asks one more person about somebody; False for one of another company, who awaits somebody's word first.

    They get their invitation like everybody else. Whoever was asked before and withdrawn is asked as what they were.
    Raises `NotFound`, `IllegalStep` when the cycle is not open or too little time is left, and `BadInput` for
    somebody who cannot be asked.
    """
    review = _open_review(session, review_id, now)
    is_asked = _add(session, review, rater_id, relationship, actor_id=actor_id, pace=pace, now=now)
    _record(session, review, actor_id, now)
    return is_asked


def withdraw_rater(
    session: Session, review_id: uuid.UUID, rater_id: uuid.UUID, *, actor_id: uuid.UUID | None = None, now: datetime
) -> None:
    """Asks somebody no more, without anybody in their place.

    An answer that they have given stays sealed among the others, since nobody can tell which it is. What is counted,
    shown and mailed is the same whether or not there is one. Raises as `add_rater` does, and `BadInput` for the last.
    """
    review = _open_review(session, review_id, now)
    left = [one for one in raters(session, review_id) if one.id != rater_id and not one.awaits_word]
    if not any(one.relationship is not Relationship.SELF for one in left):
        raise BadInput("Nobody else would be asked. Ask somebody in their place, or take the person out of the round.")
    asking.withdraw(session, review, rater_id)
    _record(session, review, actor_id, now)


def replace_rater(
    session: Session,
    review_id: uuid.UUID,
    rater_id: uuid.UUID,
    by_id: uuid.UUID,
    *,
    actor_id: uuid.UUID | None = None,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> bool:
    """Asks one person in place of another, as the same relationship; False for one who awaits somebody's word first.

    What has been answered stays, and nothing that the launcher sees tells which of the two it was. Raises as
    `add_rater` does.
    """
    review = _open_review(session, review_id, now)
    relationship = asking.withdraw(session, review, rater_id)
    is_asked = _add(session, review, by_id, relationship, actor_id=actor_id, pace=pace, now=now)
    _record(session, review, actor_id, now)
    return is_asked


def add_review(
    session: Session,
    cycle_id: uuid.UUID,
    subject_id: uuid.UUID,
    page_ids: Sequence[uuid.UUID],
    chosen: Mapping[uuid.UUID, Relationship],
    *,
    actor_id: uuid.UUID | None = None,
    pace: Pace = CONSIDERATE,
    now: datetime,
) -> uuid.UUID:
    """Puts one more person under review while a round is open, asked about by those `chosen`; the value is the review.

    Raises `NotFound`, `IllegalStep` when the cycle is not open or too little time is left, and `BadInput` for whoever
    cannot be reviewed or asked.
    """
    cycle = _open_cycle(session, cycle_id, now)
    subject = session.get(Person, subject_id)
    if subject is None or not subject.is_active or subject.is_external:
        raise BadInput("This person is not known here.")
    if session.scalar(select(Review.id).where(Review.cycle_id == cycle_id, Review.subject_id == subject_id)):
        raise BadInput(f"{subject.name} is in this round already.")
    nominations.check(str(subject_id), {str(rater): kind for rater, kind in chosen.items()})
    is_known = (Person.id.in_(chosen.keys()), Person.is_active, Person.is_external.is_(False))
    if len(session.scalars(select(Person.id).where(*is_known)).all()) < len(chosen):
        raise BadInput("Some of these people are not known here any more. Please choose again.")
    review = rounds.put_under_review(session, cycle, subject_id, page_ids)
    session.add_all(
        Nomination(review_id=review.id, rater_id=rater, relationship=kind, chosen_by_id=actor_id)
        for rater, kind in chosen.items()
    )
    session.flush()
    openings.freeze(session, [review.id], also=actor_id)
    openings.fix_teams(session, {review.id: subject_id})
    for rater in chosen:
        mailings.join(
            session, cycle_id, rater, closes_at=cycle.closes_at, pace=pace, reminders=cycle.reminders, now=now
        )
    session.flush()
    _record(session, review, actor_id, now, what="put under review")
    return review.id


def take_out(session: Session, review_id: uuid.UUID, *, now: datetime) -> None:
    """Asks nobody about somebody any more. What there is of the review is then to be deleted (`tally.delete_review`).

    Raises `NotFound`, `IllegalStep` when the cycle is not open or too little time is left, and `BadInput` for the last
    person under review.
    """
    review = session.get(Review, review_id)
    if review is None:
        raise NotFound("There is no such review.")
    cycle = _open_cycle(session, review.cycle_id, now)
    if not session.scalar(select(Review.id).where(Review.cycle_id == cycle.id, Review.id != review_id).limit(1)):
        raise BadInput("Nobody else is under review in this round. Cancel the round instead.")
    asked = select(Invitation.id).where(Invitation.review_id == review_id)
    # An answer that is on its way holds its invitation: it is in before this, or finds it void.
    asking.void(session, asked)


def _add(
    session: Session,
    review: Review,
    rater_id: uuid.UUID,
    relationship: Relationship,
    *,
    actor_id: uuid.UUID | None,
    pace: Pace,
    now: datetime,
) -> bool:
    rater = session.get(Person, rater_id)
    if rater is None or not rater.is_active:
        raise BadInput("This person is not known here.")
    chosen = {str(one.id): one.relationship for one in raters(session, review.id)}
    if str(rater_id) in chosen:
        raise BadInput(f"{rater.name} is asked about {review.subject.name} already.")
    before = session.scalar(select(Invitation.relationship).where(_of(review.id, rater_id)))
    # Who was asked once is asked again as the same: their answer may be there, as what they were.
    wanted = Relationship(before) if before else relationship
    kind = nominations.chosen_as(wanted, is_external=rater.is_external) if before is None else wanted
    kind = hands.counted_as(kind, rater_id, hands.outside(session, review.cycle, [rater_id], also=actor_id))
    nominations.check(str(review.subject_id), chosen | {str(rater_id): kind})
    waits = rater.is_external and before is None
    session.add(
        Nomination(review_id=review.id, rater_id=rater_id, relationship=kind, chosen_by_id=actor_id, awaits_word=waits)
    )
    session.flush()
    if waits:
        asking.ask_for_word(session, review, now=now)
    else:
        asking.invite(session, review, rater_id, kind, pace=pace, now=now)
    return not waits


def _of(review_id: uuid.UUID, rater_id: uuid.UUID) -> ColumnElement[bool]:
    return and_(Invitation.review_id == review_id, Invitation.rater_id == rater_id)


def _open_review(session: Session, review_id: uuid.UUID, now: datetime) -> Review:
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    cycles.require(Phase(review.cycle.phase), Phase.OPEN)
    participation.require_notice(review.cycle.closes_at, now)
    return review


def _open_cycle(session: Session, cycle_id: uuid.UUID, now: datetime) -> Cycle:
    cycle = rounds.locked(session, cycle_id)
    cycles.require(Phase(cycle.phase), Phase.OPEN)
    participation.require_notice(cycle.closes_at, now)
    return cycle


def _record(
    session: Session, review: Review, actor_id: uuid.UUID | None, now: datetime, *, what: str = "raters changed"
) -> None:
    """Writes down that something was changed about who is asked. Never whom it was about, or how."""
    session.flush()
    audit.record(session, Event.CYCLE_CHANGED, actor_id=actor_id, about=review.cycle_id, now=now, detail={what: "1"})
