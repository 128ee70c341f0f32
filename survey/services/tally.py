"""The tally: envelopes are opened in memory, what may be shown is written, and the envelopes are gone.

Knows no invitation, so that whoever counts cannot name a rater.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from secrets import SystemRandom

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from survey.core import cycles, disclosure, reports, values
from survey.core.changes import Earlier
from survey.core.cycles import Phase
from survey.core.disclosure import Band, Group
from survey.core.errors import IllegalStep, NotFound
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.store import envelopes
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Draft, Envelope
from survey.store.keys import Keyring
from survey.store.reports import Cell, Comment, Report


def waiting(session: Session) -> Sequence[uuid.UUID]:
    """The reviews of closed cycles that have not been counted."""
    return session.scalars(
        select(Review.id).join(Cycle).where(Cycle.phase == Phase.CLOSED, Review.is_tallied.is_(False))
    ).all()


def count(session: Session, review_id: uuid.UUID, keyring: Keyring) -> bool:
    """Counts one review; False when that was done before.

    In one transaction: cells, comments and the report are written and the envelopes deleted. Raises `IllegalStep`
    while the cycle is open, `KeyMissing`, and `Unsafe` when the auditor objects; nothing is written then.
    """
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    if review.is_tallied:
        return False
    if review.cycle.phase != Phase.CLOSED:
        raise IllegalStep("Answers are counted after the round has closed, and only once.")
    private_key = keyring.read(review.cycle_id)
    randomness = SystemRandom()
    boxes = list(session.scalars(select(Envelope.box).where(Envelope.review_id == review_id)))
    responses = [envelopes.unseal(box, private_key) for box in boxes]
    randomness.shuffle(responses)
    questionnaire = values.load(Questionnaire, review.questionnaire)
    published = disclosure.publish(questionnaire, responses, k=review.cycle.minimum, shuffle=randomness.shuffle)
    invited = {Relationship(kind): number for kind, number in (review.invited or {}).items()}
    report = reports.build(
        questionnaire,
        published,
        pages=[reports.page_of(entry.page.body) for entry in review.pages],
        invited=invited,
        earlier=_earlier(session, review),
    )
    session.add_all(
        Cell(
            review_id=review_id,
            item=cell.item,
            group=cell.group,
            n=cell.n,
            total=cell.total,
            squares=cell.squares,
            counts=None if cell.counts is None else list(cell.counts),
            band=cell.band,
        )
        for cell in published.cells
    )
    session.add_all(
        Comment(review_id=review_id, item=comment.item, group=comment.group, text=comment.text)
        for comment in published.comments
    )
    session.add(Report(review_id=review_id, body=values.dump(report)))
    session.execute(delete(Envelope).where(Envelope.review_id == review_id))
    review.is_tallied = True
    return True


def _earlier(session: Session, review: Review) -> Earlier | None:
    """What the newest released round before this one published about the same person."""
    found = session.execute(
        select(Review.id, Review.questionnaire, Cycle.name)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(
            Review.subject_id == review.subject_id,
            Cycle.phase.in_((Phase.RELEASED, Phase.ARCHIVED)),
            Cycle.closes_at < review.cycle.closes_at,
        )
        .order_by(Cycle.closes_at.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    review_id, questionnaire, name = found
    cells = session.scalars(select(Cell).where(Cell.review_id == review_id))
    return Earlier(
        name,
        values.load(Questionnaire, questionnaire),
        [
            disclosure.Cell(
                cell.item,
                Group(cell.group),
                cell.n,
                cell.total,
                cell.squares,
                None if cell.counts is None else tuple(cell.counts),
                None if cell.band is None else Band(cell.band),
            )
            for cell in cells
        ],
    )


def finish(session: Session) -> Sequence[uuid.UUID]:
    """Moves on every closed cycle whose reviews are all counted; the value names those whose key must go."""
    uncounted = exists().where(Review.cycle_id == Cycle.id, Review.is_tallied.is_(False))
    for cycle in session.scalars(select(Cycle).where(Cycle.phase == Phase.CLOSED, ~uncounted).with_for_update()):
        cycle.phase = cycles.step(Phase(cycle.phase), Phase.TALLIED)
        session.execute(delete(Draft).where(Draft.cycle_id == cycle.id))
    session.flush()
    return session.scalars(
        select(Cycle.id).where(Cycle.phase == Phase.TALLIED, Cycle.is_key_destroyed.is_(False))
    ).all()


def destroy_key(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> None:
    """Destroys the key of a counted cycle, then says so. After a crash between the two it is simply done again."""
    cycle = session.get(Cycle, cycle_id)
    if cycle is None or cycle.phase != Phase.TALLIED:
        raise IllegalStep("A key is destroyed after the count, not before.")
    keyring.destroy(cycle_id)
    cycle.is_key_destroyed = True
