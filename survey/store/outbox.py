"""Mail to send, as rows written in the transaction of the fact that causes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from survey.core.letters import Kind
from survey.store.base import UNORDERED, Base, UtcDateTime, random_key
from survey.store.cycles import Review


class State(StrEnum):
    """What became of a mail."""

    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"  # no longer wanted when its time came
    FAILED = "failed"  # refused for good, or too often


class Mail(Base):
    """One mail to one person. Holds no address, no text and no token: they are looked up or minted when it is sent.

    `reference` is what it is about (a cycle or a review), `slot` tells several about the same thing apart. The
    times are those of the plan, never of what a rater did.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("kind", "person_id", "reference", "slot"),
        CheckConstraint("state IN ('waiting', 'sent', 'dropped', 'failed')", name="state_is_known"),
        Index("ix_outbox_state_due_at", "state", "due_at"),
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


def about_reports(reviews: Iterable[Review], now: datetime) -> list[Mail]:
    """The mails that tell subjects that they may read their report from now on."""
    return [Mail(kind=Kind.REPORT, person_id=row.subject_id, reference=row.id, due_at=now) for row in reviews]
