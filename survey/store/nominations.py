"""Who is going to be asked, before a cycle opens."""

from __future__ import annotations

import uuid

from sqlalchemy import CheckConstraint, ForeignKey, false
from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import UNORDERED, Base

KNOWN_RELATIONSHIP = "relationship IN ('self', 'manager', 'peer', 'direct_report', 'other', 'outside')"


class Nomination(Base):
    """A rater chosen for a review. One person is one rater of a review.

    `chosen_by_id` is who chose them first (None: the program). Who `awaits_word` is not asked before somebody else
    has vouched for them.
    """

    __tablename__ = "nomination"
    __table_args__ = (CheckConstraint(KNOWN_RELATIONSHIP, name="relationship_is_known"), UNORDERED)

    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), primary_key=True)
    rater_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    relationship: Mapped[str]
    chosen_by_id: Mapped[uuid.UUID | None]
    awaits_word: Mapped[bool] = mapped_column(default=False, server_default=false())
