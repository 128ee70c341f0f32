"""What was answered. Never who answered it.

Boxes of one size: an envelope is sealed to its cycle's public key, a draft is locked with a secret that only the
rater's own browser holds.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection

from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox
from sqlalchemy import ForeignKey, Index, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core.responses import Response, pack, unpack
from survey.store.base import UNORDERED, Base, random_key


class Envelope(Base):
    """One sealed response of a review. Deleted when the review is tallied."""

    __tablename__ = "envelope"
    __table_args__ = (Index("ix_envelope_review_id", "review_id"), UNORDERED)

    id: Mapped[uuid.UUID] = random_key()
    review_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("review.id"))
    box: Mapped[bytes]


class Draft(Base):
    """Answers in the making. `id` is a hash of the browser's secret; it leads to no invitation and no review.

    The cycle is known so that drafts can be deleted when it closes, and nothing finer.
    """

    __tablename__ = "draft"
    __table_args__ = (Index("ix_draft_cycle_id", "cycle_id"), UNORDERED)

    id: Mapped[bytes] = mapped_column(primary_key=True)
    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"))
    box: Mapped[bytes]


def boxes(session: Session, review_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[bytes]]:
    """The boxes of these reviews, review by review, as they are."""
    found: dict[uuid.UUID, list[bytes]] = {review_id: [] for review_id in review_ids}
    for review_id, box in session.execute(_BOXES, {"review_ids": list(review_ids)}):
        found[review_id].append(box)
    return found


def discard(session: Session, review_ids: Collection[uuid.UUID]) -> None:
    """Deletes the envelopes of these reviews."""
    session.execute(_DISCARD, {"review_ids": list(review_ids)})


_OF_THESE = Envelope.review_id.in_(bindparam("review_ids", expanding=True))
_BOXES = select(Envelope.review_id, Envelope.box).where(_OF_THESE)
_DISCARD = delete(Envelope).where(_OF_THESE).execution_options(synchronize_session=False)


def seal(response: Response, public_key: bytes) -> bytes:
    """The response in a box that only the holder of the cycle's private key can open."""
    return SealedBox(PublicKey(public_key)).encrypt(pack(response))


def unseal(box: bytes, private_key: PrivateKey) -> Response:
    """The response in this box. Raises nacl.exceptions.CryptoError when the key or the box is another one."""
    return unpack(SealedBox(private_key).decrypt(box))


def draft_id(secret: bytes, invitation_id: uuid.UUID) -> bytes:
    """Under which id the browser with this secret keeps its draft for this invitation."""
    return hashlib.blake2b(b"id" + invitation_id.bytes, key=secret, digest_size=32).digest()


def lock(response: Response, secret: bytes, invitation_id: uuid.UUID) -> bytes:
    """The draft in a box that only this secret opens."""
    return bytes(SecretBox(_draft_key(secret, invitation_id)).encrypt(pack(response)))


def unlock(box: bytes, secret: bytes, invitation_id: uuid.UUID) -> Response:
    """The draft in this box. Raises nacl.exceptions.CryptoError when the secret is another one."""
    return unpack(SecretBox(_draft_key(secret, invitation_id)).decrypt(box))


def _draft_key(secret: bytes, invitation_id: uuid.UUID) -> bytes:
    return hashlib.blake2b(b"key" + invitation_id.bytes, key=secret, digest_size=SecretBox.KEY_SIZE).digest()
