"""Rounds whose key is held by people: how many passphrases it takes, and how often they were guessed wrong.

Holds no key and no passphrase: the wrapped key lies in the directory of keys.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import Base, UtcDateTime


class Custody(Base):
    """The custody of one cycle. No row means that the server holds the key.

    `is_tested`: somebody has opened the key with the passphrases. `is_unlocked`: the round has closed and the key
    lies open for the count. `guesses` counts wrong ones in a row; until `paused_until` nobody may guess.
    """

    __tablename__ = "custody"
    __table_args__ = (CheckConstraint("passphrases IN (1, 2)", name="passphrases_are_few"),)

    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), primary_key=True)
    passphrases: Mapped[int]
    public_key: Mapped[bytes]
    is_tested: Mapped[bool] = mapped_column(default=False)
    is_unlocked: Mapped[bool] = mapped_column(default=False)
    guesses: Mapped[int] = mapped_column(default=0)
    paused_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
