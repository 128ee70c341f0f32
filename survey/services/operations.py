"""How the program is doing, for those who operate it: work that waits, in numbers over the whole installation.

Counts no answer, invitation or draft: a monitor that asks every few seconds would make a clock of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from survey.core.cycles import Phase
from survey.core.operations import Work
from survey.store.custody import Custody
from survey.store.cycles import IS_UNFINISHED, Cycle, Review
from survey.store.mailings import Mailing
from survey.store.outbox import DIGEST, Mail, State

SOON = timedelta(minutes=1)
"""A mail that goes out within this is not told of: somebody who asks to be signed in would be seen at the second."""

GATHERING = timedelta(minutes=10)
"""By then the sweep has bound what is due to mails, however many people are asked."""


def work(session: Session, *, now: datetime) -> Work:
    """What waits to be done."""
    due = (Mail.state == State.WAITING, Mail.due_at <= now - SOON)
    oldest = session.scalar(select(func.min(Mail.due_at)).where(*due, Mail.kind != DIGEST))
    unmailed = select(func.count(Mailing.cycle_id.distinct())).where(
        Mailing.mail_id.is_(None), Mailing.due_at <= now - GATHERING
    )
    closed = select(func.count()).select_from(Review).join(Cycle).where(Cycle.phase == Phase.CLOSED)
    return Work(
        mails_due=_number(session, select(func.count()).select_from(Mail).where(*due)),
        mails_failed=_number(session, select(func.count()).select_from(Mail).where(Mail.state == State.FAILED)),
        late_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        rounds_open=_number(session, select(func.count()).select_from(Cycle).where(Cycle.phase == Phase.OPEN)),
        rounds_unmailed=_number(session, unmailed),
        reviews_uncounted=_number(session, closed.where(~Review.is_tallied, ~Review.is_objected)),
        reviews_objected=_number(session, closed.where(Review.is_objected, IS_UNFINISHED)),
        rounds_locked=_number(
            session,
            select(func.count())
            .select_from(Cycle)
            .join(Custody, Custody.cycle_id == Cycle.id)
            .where(Cycle.phase == Phase.CLOSED, ~Custody.is_unlocked, ~Cycle.is_cancelled),
        ),
    )


def _number(session: Session, query: Select[int]) -> int:
    return session.scalar(query) or 0
