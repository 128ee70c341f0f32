"""How well a whole cycle measured, in figures about ten subjects and more. Written once, before anything is counted."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import UNORDERED, Base


class Instrument(Base):
    """The figures of one cycle (survey.core.measurements.Measurement); NULL where it was measured and shows none."""

    __tablename__ = "instrument"
    __table_args__ = (UNORDERED,)

    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[dict[str, Any] | None]
