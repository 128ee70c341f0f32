"""Shaking the box: the answers of a review that is not counted yet are rewritten together, in random order."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from secrets import SystemRandom

from sqlalchemy.orm import Session

from survey.core import shakes
from survey.store import shakes as store


def due(session: Session, *, at_least: int = 1) -> list[list[uuid.UUID]]:
    """The reviews to shake, by transaction; none where fewer answers than `at_least` came since the last time."""
    if store.new(session) < at_least:
        return []
    return shakes.portions(store.held(session), shuffle=SystemRandom().shuffle)


def shake(session: Session, review_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, int]:
    """Rewrites all envelopes of these reviews, and the rows of all who are done; how many envelopes each has.

    Passed over is what is being closed, counted or changed just now. Old rows and pages are still there: the caller
    has them cleaned after the commit, and then calls `note`.
    """
    free = store.locked(session, review_ids)
    if not free:
        return {}
    shuffle = SystemRandom().shuffle
    # In this order: whatever envelope is rewritten, its rater's row is as well.
    written = store.envelopes(session, free, shuffle)
    store.invitations(session, free, shuffle)
    return Counter(written)


def note(session: Session, shaken: Mapping[uuid.UUID, int]) -> None:
    """Notes that so many envelopes of each review are shaken, and cleaned up after."""
    store.note(session, shaken)
