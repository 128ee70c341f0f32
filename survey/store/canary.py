"""The row by which the worker shows that it works."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import Base, UtcDateTime


class Canary(Base):
    """When a task that came through the broker last wrote here. One row, named for the queue."""

    __tablename__ = "canary"

    name: Mapped[str] = mapped_column(primary_key=True)
    sang_at: Mapped[datetime] = mapped_column(UtcDateTime)
