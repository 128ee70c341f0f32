"""Which reviews are to be counted, and which are: the statements around the tally, built once."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Row, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from survey.store.base import Base
from survey.store.cycles import QUESTIONNAIRE, Cycle, Review

IS_UNCOUNTED = Review.is_tallied.is_(False)
"""The condition that a review is not counted yet."""


def begin(session: Session, review_ids: Sequence[uuid.UUID]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Notes one more attempt for those of these reviews that may be counted: their ids, each with its attempts.

    Of several reviews those alone may that have had none. What another worker holds just now is passed over.
    """
    return session.execute(_BEGIN, {"review_ids": list(review_ids), "is_alone": len(review_ids) == 1}).all()


def due(session: Session, review_ids: Sequence[uuid.UUID]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Those of these reviews that may be counted, with what that needs: nobody else changes them meanwhile."""
    return session.execute(_DUE, {"review_ids": list(review_ids)}).all()


def note(session: Session, counted: Mapping[uuid.UUID, Any]) -> None:
    """Notes that these reviews are counted, each with what was published of it beside cells and comments."""
    session.execute(_COUNTED, [{"about": about, "beside": beside} for about, beside in counted.items()])


_IS_DUE = and_(Review.id.in_(bindparam("review_ids", expanding=True)), IS_UNCOUNTED, Review.is_objected.is_(False))
_BEGIN = (
    update(Review)
    .where(
        Review.id.in_(
            select(Review.id)
            .where(_IS_DUE, or_(bindparam("is_alone", type_=Boolean()), Review.attempts == 0))
            .with_for_update(skip_locked=True)
        )
    )
    .values(attempts=Review.attempts + 1)
    .returning(Review.id, Review.attempts)
    .execution_options(synchronize_session=False)
)
_DUE = (
    select(
        Review.id,
        Review.cycle_id,
        QUESTIONNAIRE,
        Cycle.phase,
        Cycle.minimum,
        Cycle.is_cancelled,
        Review.invited,
    )
    .join(Cycle, Cycle.id == Review.cycle_id)
    .where(_IS_DUE)
    .with_for_update(of=Review, skip_locked=True)
)
_REVIEW = Base.metadata.tables["review"]
_COUNTED = (
    update(_REVIEW)
    .where(_REVIEW.c.id == bindparam("about"))
    .values(is_tallied=True, published=bindparam("beside"), attempts=0)
)
