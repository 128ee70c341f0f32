"""When sweeps last looked, by the clock of the machine. Moves with the machine alone, and never with a rater."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import false
from sqlalchemy.orm import Mapped, mapped_column

from survey.core.clocks import Reading
from survey.store.base import Base, UtcDateTime


class LastLook(Base):
    """The last time that a kind of sweep believed. `is_held`: the time since is doubted, and people are told."""

    __tablename__ = "last_look"

    name: Mapped[str] = mapped_column(primary_key=True)
    looked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    boot: Mapped[str]
    uptime_seconds: Mapped[int]
    is_held: Mapped[bool] = mapped_column(default=False, server_default=false())

    @property
    def reading(self) -> Reading:
        """What the clocks said then."""
        return Reading(self.looked_at, self.boot, timedelta(seconds=self.uptime_seconds))
