"""Files of people: those that wait for a yes, and what those that were carried out changed, each for an hour."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import Base, UtcDateTime, random_key


class PeopleImport(Base):
    """A file as it was uploaded, and whether its owner says that it names everybody."""

    __tablename__ = "people_import"
    __table_args__ = (Index("ix_people_import_owner_id", "owner_id"),)

    id: Mapped[uuid.UUID] = random_key()
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    source: Mapped[bytes]
    is_everybody: Mapped[bool]
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ImportUndo(Base):
    """What one import changed, so that it can be undone. `body` has people by id, with what was before and after."""

    __tablename__ = "import_undo"

    id: Mapped[uuid.UUID] = random_key()
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[dict[str, Any]]
