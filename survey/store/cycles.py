"""Cycles and their reviews: what is asked about whom, and until when. Knows no rater."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from survey.core.cycles import Phase
from survey.store.base import Base, UtcDateTime, random_key
from survey.store.competencies import CompetencyPage
from survey.store.people import Person


class Cycle(Base):
    """A round of reviews. `public_key` seals its envelopes; the private one lies outside the database."""

    __tablename__ = "cycle"
    __table_args__ = (
        CheckConstraint("minimum BETWEEN 3 AND 10", name="minimum_protects"),
        CheckConstraint(
            "phase IN ('draft', 'nominating', 'open', 'closed', 'tallied', 'released', 'archived')",
            name="phase_is_known",
        ),
        CheckConstraint("phase IN ('draft', 'nominating') OR public_key IS NOT NULL", name="open_means_sealed"),
        CheckConstraint("phase NOT IN ('released', 'archived') OR is_key_destroyed", name="released_means_unlinkable"),
        Index("ix_cycle_phase_closes_at", "phase", "closes_at"),
    )

    id: Mapped[uuid.UUID] = random_key()
    name: Mapped[str]
    launcher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    phase: Mapped[str] = mapped_column(default=Phase.DRAFT)
    minimum: Mapped[int]
    blocks: Mapped[list[str]]
    opens_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    public_key: Mapped[bytes | None]
    is_key_destroyed: Mapped[bool] = mapped_column(default=False)

    launcher: Mapped[Person] = relationship()
    reviews: Mapped[list[Review]] = relationship(back_populates="cycle", cascade="all, delete-orphan")


class Review(Base):
    """One person under review in a cycle. The questionnaire and the numbers invited are frozen at launch.

    `minutes` has how long the questionnaire takes by relationship, so that a mail need not read it.
    """

    __tablename__ = "review"
    __table_args__ = (UniqueConstraint("cycle_id", "subject_id"),)

    id: Mapped[uuid.UUID] = random_key()
    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), index=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"), index=True)
    questionnaire: Mapped[dict[str, Any] | None]
    invited: Mapped[dict[str, Any] | None]
    minutes: Mapped[dict[str, Any] | None]
    is_tallied: Mapped[bool] = mapped_column(default=False)

    cycle: Mapped[Cycle] = relationship(back_populates="reviews")
    subject: Mapped[Person] = relationship()
    pages: Mapped[list[ReviewPage]] = relationship(
        cascade="all, delete-orphan", order_by="ReviewPage.position", lazy="selectin"
    )


class ReviewPage(Base):
    """A page that a review asks about, in this position."""

    __tablename__ = "review_page"

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    page_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("competency_page.id"))

    page: Mapped[CompetencyPage] = relationship(lazy="joined")
