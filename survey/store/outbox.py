"""Mail to send, as rows written in the transaction of the fact that causes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core.letters import Kind
from survey.store.base import UNORDERED, Base, UtcDateTime, random_key
from survey.store.cycles import Review

DIGEST = "digest"
"""The kind of a mail about waiting reviews. Its slot is the person's working day, so that a second one cannot be."""


class State(StrEnum):
    """What became of a mail.

    One word for a mail that went out and one that was not wanted any more when its time came: which of the two it
    was would tell whether a rater had finished by then.
    """

    WAITING = "waiting"
    SETTLED = "settled"
    FAILED = "failed"  # refused for good, or too often


class Mail(Base):
    """One mail to one person. Holds no address, no text and no token: they are looked up or minted when it is sent.

    `reference` is what it is about (a review, or the person alone), `slot` tells several about the same thing apart.
    The times are those of the plan, never of what a rater did. Rows that are not waiting are deleted after two days.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("kind", "person_id", "reference", "slot"),
        CheckConstraint("state IN ('waiting', 'settled', 'failed')", name="state_is_known"),
        Index("ix_outbox_state_due_at", "state", "due_at"),
        # The few that are being sent, among all that went out within two days.
        Index(
            "ix_outbox_state_lease_until",
            "state",
            "lease_until",
            postgresql_where=text("lease_until IS NOT NULL"),
            sqlite_where=text("lease_until IS NOT NULL"),
        ),
        UNORDERED,
    )

    id: Mapped[uuid.UUID] = random_key()
    kind: Mapped[str]
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    reference: Mapped[uuid.UUID]
    slot: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(default=State.WAITING)


def last_days(
    session: Session, person_ids: Iterable[uuid.UUID], *, but: uuid.UUID | None = None
) -> dict[uuid.UUID, date]:
    """By person, the newest day that has a mail about waiting reviews, whether or not it went out; one is left aside.

    In a demo such mails are of no day.
    """
    days = select(Mail.person_id, func.max(Mail.slot)).where(
        Mail.kind == DIGEST, Mail.person_id.in_(list(person_ids)), func.length(Mail.slot) == len("2026-03-02")
    )
    if but is not None:
        days = days.where(Mail.id != but)
    return {person_id: date.fromisoformat(day) for person_id, day in session.execute(days.group_by(Mail.person_id))}


def about_reports(reviews: Iterable[Review], now: datetime) -> list[Mail]:
    """The mails that tell subjects that they may read their report from now on."""
    return [Mail(kind=Kind.REPORT, person_id=row.subject_id, reference=row.id, due_at=now) for row in reviews]
