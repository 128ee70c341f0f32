"""What a subject plans after a report: their own words and dates, and nothing of what anybody answered."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from survey.store.base import Base


class Plan(Base):
    """The plan of the subject of a review, for them alone unless `shared_with_id` names who may read it.

    `note` is what the subject wrote at the check-in.
    """

    __tablename__ = "plan"

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    check_in_on: Mapped[date | None]
    shared_with_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(default="")

    steps: Mapped[list[PlannedStep]] = relationship(
        cascade="all, delete-orphan", order_by="PlannedStep.position", lazy="selectin"
    )


class PlannedStep(Base):
    """One step of a plan. See survey.core.plans.Step."""

    __tablename__ = "planned_step"

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("plan.review_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    page: Mapped[str]
    sentence: Mapped[str]
    is_own: Mapped[bool]
