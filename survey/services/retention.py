"""What has been kept long enough is deleted; numbers are left of it, and an entry in the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from survey.core import cycles, participation
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.letters import Kind
from survey.store import audit, received
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, State
from survey.store.nominations import Nomination
from survey.store.outbox import Mail

WITH_REPORTS = (Phase.TALLIED, Phase.RELEASED)
COUNTED = (*WITH_REPORTS, Phase.ARCHIVED)


def delete_invitations(session: Session, *, before: datetime, now: datetime) -> int:
    """Deletes who was asked about whom in counted rounds that ended before this; the value is how many rounds.

    With the invitations go their links and the nominations; mail about the round went before. What stays is how many
    were asked as what, and how many of all of them answered.
    """
    kept = select(Review.cycle_id).where(Review.answered.is_(None), Review.is_tallied)
    due = session.scalars(
        select(Cycle.id)
        .where(Cycle.phase.in_(COUNTED), Cycle.closes_at < before, Cycle.id.in_(kept))
        .with_for_update(of=Cycle)
    ).all()
    for cycle_id in due:
        reviews = select(Review.id).where(Review.cycle_id == cycle_id)
        answered = dict(
            session.execute(
                select(Invitation.review_id, func.count())
                .where(Invitation.review_id.in_(reviews), Invitation.state == State.DONE)
                .group_by(Invitation.review_id)
            ).all()
        )
        for review in session.scalars(select(Review).where(Review.cycle_id == cycle_id)):
            review.answered = participation.shown(answered.get(review.id, 0), sum((review.invited or {}).values()))
        session.flush()
        deleted = session.scalar(select(func.count()).select_from(Invitation).where(Invitation.review_id.in_(reviews)))
        asked = select(Invitation.id).where(Invitation.review_id.in_(reviews))
        session.execute(delete(InvitationToken).where(InvitationToken.invitation_id.in_(asked)))
        session.execute(delete(Invitation).where(Invitation.review_id.in_(reviews)))
        session.execute(delete(Nomination).where(Nomination.review_id.in_(reviews)))
        _record(session, Event.INVITATIONS_DELETED, cycle_id, {"invitations": str(deleted)}, now)
    return len(due)


def delete_reports(session: Session, *, before: datetime, now: datetime) -> int:
    """Deletes all that was said in counted rounds that ended before this, released or not, and the plans made of it.

    The value is how many rounds. They are archived: names, people, numbers of answers and how the round measured stay.
    """
    due = session.scalars(
        select(Cycle)
        .where(Cycle.phase.in_(WITH_REPORTS), Cycle.is_key_destroyed, Cycle.closes_at < before)
        .with_for_update(of=Cycle)
    ).all()
    for cycle in due:
        reviews = session.scalars(select(Review.id).where(Review.cycle_id == cycle.id)).all()
        deleted = received.forget(session, reviews)
        session.execute(delete(Mail).where(Mail.kind == Kind.CHECK_IN, Mail.reference.in_(reviews)))
        cycle.phase, cycle.held_until = cycles.step(Phase(cycle.phase), Phase.ARCHIVED), None
        session.flush()
        detail = {"reports": str(deleted["report"]), "comments": str(deleted["comment"])}
        _record(session, Event.REPORTS_DELETED, cycle.id, detail, now)
    return len(due)


def touched() -> Sequence[str]:
    """The tables from which rounds lost rows, to be written anew after it."""
    return (*received.TABLES, "planned_step", "invitation", "invitation_token", "nomination")


def _record(session: Session, event: Event, cycle_id: uuid.UUID, detail: dict[str, str], now: datetime) -> None:
    audit.record(session, event, actor_id=None, about=cycle_id, now=now, detail=detail)
