"""Reports are built from what the tally published, once a whole cycle is counted. Knows no answer and no rater.

Two steps, each harmless to repeat after a crash: `settle` fixes the typical spread of the cycle, `build` makes the
reports that are missing. Both read published cells alone, so that a report says nothing that its figures do not.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, select, update
from sqlalchemy.orm import Session

from survey.core import disclosure, questionnaires, reports, spreads, values
from survey.core.access import Standing
from survey.core.audit import Event
from survey.core.changes import Earlier
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.disclosure import OF_NO_COLLEAGUES, Published
from survey.core.errors import IllegalStep
from survey.core.relationships import Relationship
from survey.store import attempts
from survey.store import cycles as rounds
from survey.store import reports as written
from survey.store.cycles import Cycle, Review, readable_by
from survey.store.reports import Cell, Report

BATCH = 50
"""So many reports are built in one transaction."""


def due(session: Session) -> Mapping[uuid.UUID, int]:
    """The closed cycles whose reviews are all counted, each with how many of its reports are still to be built."""
    uncounted = select(Review.id).where(Review.cycle_id == Cycle.id, Review.is_tallied.is_(False)).correlate(Cycle)
    rows = session.execute(
        select(Cycle.id, func.count())
        .join(Review, Review.cycle_id == Cycle.id)
        .where(Cycle.phase == Phase.CLOSED, *_IS_UNBUILT, ~uncounted.exists())
        .group_by(Cycle.id)
    )
    return dict(rows.all())


def is_counted(session: Session, cycle_id: uuid.UUID) -> bool:
    """Whether no review of this cycle is left to be counted."""
    return not session.scalar(select(exists().where(Review.cycle_id == cycle_id, Review.is_tallied.is_(False))))


def settle(session: Session, cycle_id: uuid.UUID) -> None:
    """Fixes the typical spread of a counted cycle, once; when that was done before, nothing changes.

    Raises `IllegalStep` while a review of it is uncounted.
    """
    cycle = rounds.locked(session, cycle_id)
    if cycle.spreads is not None:
        return
    if cycle.phase != Phase.CLOSED or not is_counted(session, cycle_id):
        raise IllegalStep("Reports are built after every review of the round is counted.")
    found = spreads.of_cycle(_distributions(session, cycle_id))
    cycle.spreads = {str(points): spread for points, spread in found.items()}


def begin(session: Session, cycle_id: uuid.UUID, *, limit: int = BATCH, now: datetime) -> list[uuid.UUID]:
    """Counts one more attempt at some of the reports that are not there yet, and names their reviews.

    They are a batch that nobody has tried, or else a single one: what ended a worker does not take others along. One
    that was tried too often is set apart, and people operations get a mail. In a transaction of its own: it must be
    known even if the attempt ends its worker. Those that another worker is building just now are passed over.
    """
    unbuilt = select(Review.id).where(Review.cycle_id == cycle_id, *_IS_UNBUILT).limit(limit)
    unbuilt = unbuilt.with_for_update(of=Review, skip_locked=True)
    chosen = session.scalars(unbuilt.where(Review.attempts == 0)).all()
    if not chosen:
        for review_id in session.scalars(unbuilt.where(Review.attempts >= ATTEMPTS)).all():
            attempts.set_apart(session, session.get_one(Review, review_id), Event.REPORT_GIVEN_UP, now=now)
        chosen = session.scalars(unbuilt.order_by(Review.attempts).limit(1)).all()
    session.execute(
        update(Review)
        .where(Review.id.in_(chosen))
        .values(attempts=Review.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return list(chosen)


def build(session: Session, cycle_id: uuid.UUID, review_ids: Collection[uuid.UUID]) -> int:
    """Builds the reports of these reviews of a settled cycle, where they are not there yet; the value is how many.

    Those that another worker is building just now are passed over. Raises `IllegalStep` before `settle`.
    """
    cycle = rounds.get(session, cycle_id)
    if cycle.spreads is None:
        raise IllegalStep("The spread of this round is not known yet.")
    settled = _by_points(cycle.spreads)
    reviews = session.execute(_UNBUILT, {"review_ids": list(review_ids)}).all()
    ids = [review.id for review in reviews]
    cells, pages = written.cells(session, ids), rounds.pages(session, ids)
    page_of = cache(lambda page_id: reports.page_of(pages.bodies[page_id]))
    earlier = _earlier(session, {review.subject_id for review in reviews}, cycle)
    bodies = [
        {
            "review_id": review.id,
            "body": values.dump(
                reports.build(
                    questionnaires.parsed(review.questionnaire),
                    _published(review.published, cells[review.id]),
                    pages=[page_of(page_id) for page_id in pages.ids[review.id]],
                    invited={Relationship(kind): number for kind, number in (review.invited or {}).items()},
                    earlier=earlier.get(review.subject_id),
                    spreads=settled,
                )
            ),
        }
        for review in reviews
    ]
    if bodies:
        session.execute(insert(Report), bodies)
        # All of it stands in the reports now; and this is what says that they have been built.
        session.execute(
            update(Review)
            .where(Review.id.in_(ids))
            .values(published=None, attempts=0)
            .execution_options(synchronize_session=False)
        )
    return len(bodies)


_IS_UNBUILT = Review.published.is_not(None), Review.is_objected.is_(False)


def _distributions(session: Session, cycle_id: uuid.UUID) -> Iterator[tuple[uuid.UUID, disclosure.Cell]]:
    cells = session.scalars(
        select(Cell)
        .join(Review, Review.id == Cell.review_id)
        .where(Review.cycle_id == cycle_id, Cell.counts.is_not(None), Cell.group.not_in(OF_NO_COLLEAGUES))
        .execution_options(yield_per=1000)
    )
    return ((cell.review_id, cell.as_value()) for cell in cells)


def _by_points(spreads: Mapping[str, float]) -> dict[int, float]:
    """Typical spreads as they are stored, by the number of points of the scale."""
    return {int(points): spread for points, spread in spreads.items()}


def _published(beside: Any, cells: Sequence[disclosure.Cell]) -> Published:
    """What the tally published of a review. Comments lie beside the report and are no part of it."""
    published = values.load(Published, beside)
    order = {group: position for position, (group, _) in enumerate(published.answered)}
    return replace(published, cells=tuple(sorted(cells, key=lambda cell: (cell.item, order[cell.group]))))


def _earlier(session: Session, subject_ids: Collection[uuid.UUID], cycle: Cycle) -> dict[uuid.UUID, Earlier]:
    """What the newest released round before this one published about each of these people, if there was one."""
    rows = session.execute(
        select(Review.id, Review.subject_id, rounds.QUESTIONNAIRE, Cycle.name, Cycle.spreads)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(
            Review.subject_id.in_(subject_ids),
            readable_by(Standing.OWN),
            Cycle.closes_at < cycle.closes_at,
        )
        .order_by(Cycle.closes_at)
    ).all()
    newest = {row.subject_id: row for row in rows}
    cells = written.cells(session, [row.id for row in newest.values()])
    return {
        subject_id: Earlier(
            row.name, questionnaires.parsed(row.questionnaire), cells[row.id], _by_points(row.spreads or {})
        )
        for subject_id, row in newest.items()
    }


_UNBUILT = (
    select(
        Review.id,
        Review.subject_id,
        rounds.QUESTIONNAIRE,
        Review.published,
        Review.invited,
    )
    .where(Review.id.in_(bindparam("review_ids", expanding=True)), *_IS_UNBUILT)
    .with_for_update(of=Review, skip_locked=True)
)
