"""The tally: envelopes are opened in memory, what may be shown is written, and the envelopes are gone.

Knows no invitation, so that whoever counts cannot name a rater. Fails closed: where the auditor objects nothing is
written but that it did, and the envelopes wait sealed for people operations.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from secrets import SystemRandom

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from survey.core import cycles, disclosure, reports, values
from survey.core.access import Role, Standing
from survey.core.audit import Event
from survey.core.changes import Earlier
from survey.core.cycles import Phase
from survey.core.disclosure import Band, Group
from survey.core.errors import IllegalStep, NotFound
from survey.core.letters import Kind
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.store import audit, envelopes
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review, readable_by
from survey.store.envelopes import Draft, Envelope
from survey.store.keys import Keyring
from survey.store.outbox import Mail
from survey.store.people import Person
from survey.store.reports import Cell, Comment, Report


def waiting(session: Session) -> Sequence[uuid.UUID]:
    """The reviews of closed cycles that can be counted: the key is there, and the auditor has not objected.

    Those of cancelled cycles need no key: their envelopes are deleted as they are.
    """
    return session.scalars(
        select(Review.id)
        .join(Cycle)
        .outerjoin(Custody, Custody.cycle_id == Cycle.id)
        .where(
            Cycle.phase == Phase.CLOSED,
            Review.is_tallied.is_(False),
            Review.is_objected.is_(False),
            or_(Custody.cycle_id.is_(None), Custody.is_unlocked, Cycle.is_cancelled),
        )
    ).all()


def count(session: Session, review_id: uuid.UUID, keyring: Keyring) -> bool:
    """Counts one review; False when that was done before, or waits for people operations.

    In one transaction: cells, comments and the report are written and the envelopes deleted; of a cancelled cycle
    they are deleted unopened. Raises `IllegalStep` while the cycle is open, `KeyMissing`, and `Unsafe` when the
    auditor objects; nothing is written then, and the caller sets the review apart with `object_to`.
    """
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    if review.is_tallied or review.is_objected:
        return False
    if review.cycle.phase != Phase.CLOSED:
        raise IllegalStep("Answers are counted after the round has closed, and only once.")
    if review.cycle.is_cancelled:
        session.execute(delete(Envelope).where(Envelope.review_id == review_id))
        review.is_tallied = True
        return True
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
            readable_by(Standing.OWN),
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
    """Moves on every closed cycle whose reviews are all counted; the value names those whose key must go.

    Drafts of closed cycles are deleted, even where the count waits for people.
    """
    closed = select(Cycle.id).where(Cycle.phase == Phase.CLOSED)
    session.execute(delete(Draft).where(Draft.cycle_id.in_(closed)))
    uncounted = exists().where(Review.cycle_id == Cycle.id, Review.is_tallied.is_(False))
    for cycle in session.scalars(select(Cycle).where(Cycle.phase == Phase.CLOSED, ~uncounted).with_for_update()):
        cycle.phase = cycles.step(Phase(cycle.phase), Phase.TALLIED)
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


def object_to(session: Session, review_id: uuid.UUID, *, now: datetime) -> None:
    """Sets a review apart to whose report the auditor objected: no sweep counts it, and people operations get a mail.

    Why it objected is written nowhere, because that could tell about answers.
    """
    review = _uncounted(session, review_id)
    if review.is_objected:
        return
    review.is_objected = True
    session.add_all(
        Mail(kind=Kind.OBJECTION, person_id=person_id, reference=review_id, due_at=now)
        for person_id in session.scalars(
            select(Person.id).where(Person.role == Role.PEOPLE_OPERATIONS, Person.is_active)
        )
    )
    session.flush()
    audit.record(session, Event.AUDITOR_OBJECTED, actor_id=None, about=review_id, now=now)


def objected(session: Session, cycle_id: uuid.UUID) -> Sequence[Review]:
    """The reviews of a cycle that wait for people operations, because the auditor objected."""
    return session.scalars(
        select(Review)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id, Review.is_objected, Review.is_tallied.is_(False))
        .order_by(Person.name)
    ).all()


def count_again(session: Session, review_id: uuid.UUID) -> None:
    """Lets the next sweep count a review to which the auditor objected. Raises `IllegalStep` for any other."""
    review = _uncounted(session, review_id)
    if not review.is_objected:
        raise IllegalStep("This review is not waiting for anybody; it is being counted.")
    review.is_objected = False
    # Should the auditor object once more, there is a mail once more.
    session.execute(delete(Mail).where(Mail.kind == Kind.OBJECTION, Mail.reference == review_id))


def abandon(session: Session, review_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Publishes nothing for a review to which the auditor objected: its envelopes are deleted.

    There is no report then, and its subject is told so. Raises `IllegalStep` for any other review.
    """
    review = _uncounted(session, review_id)
    if not review.is_objected:
        raise IllegalStep("Only a review to which the auditor objected can be given up.")
    _give_up(session, review, actor_id, now)


def abandon_locked(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Publishes nothing for any review of a cycle whose passphrase is lost. Raises `IllegalStep` for any other."""
    cycle = session.scalar(select(Cycle).where(Cycle.id == cycle_id).with_for_update(of=Cycle))
    custody = session.get(Custody, cycle_id)
    if cycle is None or custody is None or cycle.phase != Phase.CLOSED or custody.is_unlocked:
        raise IllegalStep("Only a closed round that waits for its passphrase can be given up.")
    for review in cycle.reviews:
        _give_up(session, review, actor_id, now)


def _uncounted(session: Session, review_id: uuid.UUID) -> Review:
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    if review.is_tallied or review.cycle.phase != Phase.CLOSED:
        raise IllegalStep("This review has been counted already, or its round is still open.")
    return review


def _give_up(session: Session, review: Review, actor_id: uuid.UUID, now: datetime) -> None:
    session.execute(delete(Envelope).where(Envelope.review_id == review.id))
    review.is_tallied = True
    session.flush()
    audit.record(session, Event.REPORT_ABANDONED, actor_id=actor_id, about=review.id, now=now)
