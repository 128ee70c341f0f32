"""Competencies and their pages. A page is never changed: editing makes a new version."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from survey.store.base import Base, Named, random_key


class Competency(Named, Base):
    """Something that people can be good at, described level by level."""

    __tablename__ = "competency"

    id: Mapped[uuid.UUID] = random_key()
    name: Mapped[str] = mapped_column(unique=True)


class CompetencyPage(Base):
    """One version of the page of a competency at a level: the text as it came, and what was read from it."""

    __tablename__ = "competency_page"
    __table_args__ = (UniqueConstraint("competency_id", "level", "version"),)

    id: Mapped[uuid.UUID] = random_key()
    competency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("competency.id"))
    level: Mapped[int]
    version: Mapped[int]
    source: Mapped[str]
    body: Mapped[dict[str, Any]]

    competency: Mapped[Competency] = relationship(lazy="joined")

    @property
    def title(self) -> str:
        """Competency, level and, from the second on, the version."""
        suffix = f" (version {self.version})" if self.version > 1 else ""
        return f"{self.competency.name}, level {self.level}{suffix}"
