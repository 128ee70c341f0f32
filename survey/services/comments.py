"""Comments before their release: read by people operations, and withheld for good where they do harm.

Nothing here knows who wrote a comment, nor in which group: it lies here as it will lie in the report, with the others
on the same question in random order.

Withholding leaves the minimum intact. It counts the people who answered a question, and they stay as many when one
of their texts is taken out: with k who answered and k − 1 texts shown, each text may still be from any of the k. The
number that was withheld tells a reader no more than the texts would have: how many people wrote something there.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from survey.core import comments, values
from survey.core.audit import Event
from survey.core.comments import Reason
from survey.core.cycles import Phase
from survey.core.errors import NotFound
from survey.core.questionnaires import Item, Questionnaire
from survey.store import audit
from survey.store import cycles as rounds
from survey.store.cycles import Cycle, Review
from survey.store.people import Person, by_name
from survey.store.reports import Comment, Withheld

AT_ONCE = 20
"""Reviews on one page."""


@dataclass(frozen=True)
class Said:
    """One comment. `id` names it in the form that withholds it, and nowhere else."""

    id: uuid.UUID
    text: str


@dataclass(frozen=True)
class Question:
    """The comments on one question of a review, in random order, and how many were withheld."""

    text: str
    said: tuple[Said, ...]
    withheld: int


@dataclass(frozen=True)
class Pile:
    """The comments about one person, question by question."""

    subject: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Reading:
    """One page of a round's comments, of so many. `is_left_out`: there is a review of the reader's own."""

    cycle: str
    piles: tuple[Pile, ...]
    page: int
    pages: int
    is_left_out: bool


@dataclass(frozen=True)
class Chosen:
    """One comment with what it is about, to be looked at once more."""

    id: uuid.UUID
    subject: str
    question: str
    text: str


def read(session: Session, cycle_id: uuid.UUID, *, reader_id: uuid.UUID, page: int, now: datetime) -> Reading:
    """The comments of a counted round that have not been released; that they were read is recorded, once a day.

    Comments about the reader are left out, and so are private reflections. Raises `NotFound` and `IllegalStep`.
    """
    cycle = _locked(session, cycle_id)
    others = (Review.cycle_id == cycle_id, Review.subject_id != reader_id)
    total = session.scalar(select(func.count()).select_from(Review).where(*others)) or 0
    pages = max(1, -(-total // AT_ONCE))
    page = min(max(page, 1), pages)
    reviews = session.execute(
        select(Review.id, Review.questionnaire, Person.name)
        .join(Person, Person.id == Review.subject_id)
        .where(*others)
        .order_by(*by_name(), Review.id)
        .limit(AT_ONCE)
        .offset((page - 1) * AT_ONCE)
    ).all()
    said, withheld = _of(session, [review_id for review_id, *_ in reviews])
    piles = tuple(
        Pile(
            subject,
            tuple(
                Question(item.text, tuple(said[review_id, item.key]), withheld[review_id, item.key])
                for item in _shared(values.load(Questionnaire, plain))
                if said[review_id, item.key] or withheld[review_id, item.key]
            ),
        )
        for review_id, plain, subject in reviews
    )
    audit.record_once_a_day(session, Event.COMMENTS_READ, actor_id=reader_id, about=cycle_id, now=now)
    return Reading(cycle.name, piles, page, pages, is_left_out=total < len(cycle.reviews))


def choose(session: Session, cycle_id: uuid.UUID, comment_id: uuid.UUID, *, reader_id: uuid.UUID) -> Chosen:
    """One comment of the round, before it is withheld. Raises `NotFound` and `IllegalStep`."""
    _locked(session, cycle_id)
    comment, review, item = _found(session, cycle_id, comment_id, reader_id)
    return Chosen(comment.id, review.subject.name, item.text, comment.text)


def withhold(
    session: Session,
    cycle_id: uuid.UUID,
    comment_id: uuid.UUID,
    *,
    reason: Reason,
    explanation: str,
    actor_id: uuid.UUID,
    now: datetime,
) -> None:
    """Deletes a comment for good; the report will say that one was withheld, and the audit log who did it, and why.

    Raises `IllegalStep` before the count and after the release, `NotFound` for a comment that is not there or that
    is about the person who wants it gone, and `BadInput` for a reason that cannot stand in the log.
    """
    _locked(session, cycle_id)
    comment, review, item = _found(session, cycle_id, comment_id, actor_id)
    explanation = comments.check_reason(reason, explanation, comment.text)
    row = session.get(Withheld, (review.id, comment.item, comment.group))
    if row is None:
        session.add(Withheld(review_id=review.id, item=comment.item, group=comment.group, comments=1))
    else:
        row.comments += 1
    session.delete(comment)
    session.flush()
    detail = {"question": item.text, "reason": reason.label} | ({"in words": explanation} if explanation else {})
    audit.record(session, Event.COMMENT_WITHHELD, actor_id=actor_id, about=review.id, now=now, detail=detail)


def _locked(session: Session, cycle_id: uuid.UUID) -> Cycle:
    """The round, which cannot be released meanwhile."""
    cycle = rounds.locked(session, cycle_id)
    comments.check_phase(Phase(cycle.phase))
    return cycle


def _found(
    session: Session, cycle_id: uuid.UUID, comment_id: uuid.UUID, reader_id: uuid.UUID
) -> tuple[Comment, Review, Item]:
    comment = session.get(Comment, comment_id)
    review = session.get(Review, comment.review_id) if comment else None
    if comment is not None and review is not None and review.cycle_id == cycle_id and review.subject_id != reader_id:
        for item in _shared(values.load(Questionnaire, review.questionnaire)):
            if item.key == comment.item:
                return comment, review, item
    raise NotFound("This comment is not there. It may have been withheld already.")


def _of(
    session: Session, review_ids: Sequence[uuid.UUID]
) -> tuple[dict[tuple[uuid.UUID, str], list[Said]], Counter[tuple[uuid.UUID, str]]]:
    """Comments, and numbers of withheld ones, by review and item."""
    said: dict[tuple[uuid.UUID, str], list[Said]] = defaultdict(list)
    rows = session.execute(
        # Keys are random, so this is a random order, and the same one when the page is opened again.
        select(Comment.review_id, Comment.item, Comment.id, Comment.text)
        .where(Comment.review_id.in_(review_ids))
        .order_by(Comment.id)
    )
    for review_id, item, comment_id, text in rows:
        said[review_id, item].append(Said(comment_id, text))
    withheld: Counter[tuple[uuid.UUID, str]] = Counter()
    for row in session.scalars(select(Withheld).where(Withheld.review_id.in_(review_ids))):
        withheld[row.review_id, row.item] += row.comments
    return said, withheld


def _shared(questionnaire: Questionnaire) -> Iterator[Item]:
    """The open questions whose answers others will read."""
    return (item for item in questionnaire.items if item.is_open and not item.is_private)
