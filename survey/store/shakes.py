"""The statements that shake the box: sealed envelopes, and who is done, each written anew in random order.

What a database remembers of a row by itself (PostgreSQL the transaction and the place, SQLite the page) then says of
all answers of a review the same. Nothing here opens an envelope, and no value leads from one table to the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from survey.core.cycles import Phase
from survey.core.shakes import Held
from survey.store.base import Base, run
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, State

SEALED = (Phase.OPEN, Phase.CLOSED)
"""The phases in which a round has envelopes."""

Shuffle = Callable[[list[Any]], None]


def new(session: Session) -> int:
    """How many envelopes came since their reviews were last shaken."""
    return session.scalar(_NEW) or 0


def held(session: Session) -> list[Held]:
    """Every review that has envelopes, with how many are shaken."""
    return [Held(*row) for row in session.execute(_HELD)]


def locked(session: Session, review_ids: Sequence[uuid.UUID]) -> Sequence[uuid.UUID]:
    """Those of these reviews that nobody closes, counts or changes until this transaction ends.

    What others hold just now is passed over: who shakes waits for nobody. An answer on its way does not wait either.
    """
    rounds = select(Review.cycle_id).where(Review.id.in_(review_ids))
    cycles = session.scalars(
        select(Cycle.id)
        .where(Cycle.id.in_(rounds), Cycle.phase.in_(SEALED))
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    return session.scalars(
        select(Review.id)
        .where(Review.id.in_(review_ids), Review.cycle_id.in_(cycles), Review.is_tallied.is_(False))
        .with_for_update(key_share=True, skip_locked=True)
    ).all()


def envelopes(session: Session, review_ids: Sequence[uuid.UUID], shuffle: Shuffle) -> Sequence[uuid.UUID]:
    """Writes the envelopes of these reviews anew, under new ids; the value is the review of each."""
    taken = delete(Envelope).where(Envelope.review_id.in_(review_ids))
    rows = [row._asdict() for row in run(session, taken.returning(Envelope.review_id, Envelope.box))]
    shuffle(rows)
    if rows:
        run(session, insert(Envelope), rows)
    return [row["review_id"] for row in rows]


def invitations(session: Session, review_ids: Sequence[uuid.UUID], shuffle: Shuffle) -> None:
    """Writes the rows of all who are done in these reviews anew, as they are."""
    done = select(Invitation.id).where(Invitation.review_id.in_(review_ids), Invitation.state == State.DONE)
    rows = [{"about": each} for each in run(session, done.with_for_update(skip_locked=True)).scalars()]
    shuffle(rows)
    if rows:
        run(session, _AS_IT_IS, rows)


def note(session: Session, shaken: Mapping[uuid.UUID, int]) -> None:
    """Notes how many envelopes of each review are shaken, and that nothing is left of what they were before."""
    rows = [{"about": review_id, "number": number} for review_id, number in sorted(shaken.items())]
    if rows:
        run(session, _NOTE, rows)


_ANSWERS = select(Envelope.review_id, func.count().label("answers")).group_by(Envelope.review_id).subquery()
_HELD = (
    select(_ANSWERS.c.review_id, _ANSWERS.c.answers, Review.shaken)
    .select_from(_ANSWERS)
    .join(Review, Review.id == _ANSWERS.c.review_id)
)
_NEW = (
    select(func.sum(_ANSWERS.c.answers - Review.shaken))
    .select_from(_ANSWERS)
    .join(Review, Review.id == _ANSWERS.c.review_id)
    .where(_ANSWERS.c.answers > Review.shaken)
)
_AS_IT_IS = (
    update(Invitation)
    .where(Invitation.id == bindparam("about"), Invitation.state == State.DONE)
    .values(state=State.DONE)
)
_REVIEW = Base.metadata.tables["review"]
_NOTE = update(_REVIEW).where(_REVIEW.c.id == bindparam("about")).values(shaken=bindparam("number"))
