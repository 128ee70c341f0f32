"""Who was asked, and whether they are done. Never what they said, and never when."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from survey.store.base import UNORDERED, Base, random_key
from survey.store.nominations import KNOWN_RELATIONSHIP


class State(StrEnum):
    """One bit of participation, and the two ways in which there is nothing left to wait for."""

    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"
    VOID = "void"


class Invitation(Base):
    """One rater asked about one subject. No clock, no counter, no way to an envelope."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("review_id", "rater_id"),
        CheckConstraint(KNOWN_RELATIONSHIP, name="relationship_is_known"),
        CheckConstraint("state IN ('open', 'done', 'declined', 'void')", name="state_is_known"),
        Index("ix_invitation_rater_id_state", "rater_id", "state"),
        UNORDERED,
    )

    id: Mapped[uuid.UUID] = random_key()
    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"))
    rater_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id"))
    relationship: Mapped[str]
    state: Mapped[str] = mapped_column(default=State.OPEN)


class InvitationToken(Base):
    """The hash of a link that was mailed, and an invitation that it opens. Gone once that one is done.

    One mail names all colleagues who wait, so one link may open several invitations. A reminder holds a second
    secret, which can do nothing but stop the reminders: `stop_hash`.
    """

    __tablename__ = "invitation_token"
    __table_args__ = (
        Index("ix_invitation_token_invitation_id", "invitation_id"),
        Index("ix_invitation_token_stop_hash", "stop_hash"),
        UNORDERED,
    )

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    invitation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("invitation.id", ondelete="CASCADE"), primary_key=True)
    stop_hash: Mapped[bytes | None]


def mint() -> tuple[str, bytes]:
    """A new secret of 256 bits for a link, and the hash that a row may keep."""
    token = secrets.token_urlsafe(32)
    return token, fingerprint(token)


def fingerprint(token: str) -> bytes:
    """The hash under which a row knows this secret."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
