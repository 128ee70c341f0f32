"""The tally: envelopes are opened in memory, what may be shown is written, and the envelopes are gone.

Knows no invitation, so that whoever counts cannot name a rater. Fails closed: where the auditor objects nothing is
written but that it did, and the envelopes wait sealed for people operations. Before the first review of a cycle is
counted, `measure` looks once over its answers; reports are built afterwards, in services/publication.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import SystemRandom

from nacl.public import PrivateKey
from sqlalchemy import and_, bindparam, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from survey.core import cycles, disclosure, measurements, participation, questionnaires, values
from survey.core.audit import Event
from survey.core.cycles import ATTEMPTS, Phase
from survey.core.disclosure import Published
from survey.core.errors import IllegalStep, KeyMissing, NotFound, Unsafe
from survey.core.letters import Kind
from survey.core.questionnaires import Questionnaire
from survey.core.responses import Response
from survey.store import attempts, audit, counting, envelopes, key_places, reports
from survey.store import cycles as rounds
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.envelopes import Draft, Envelope
from survey.store.instruments import Instrument
from survey.store.keys import Keyring
from survey.store.outbox import Mail
from survey.store.people import Person, by_name
from survey.store.reports import Cell, Comment

BATCH = 25
"""So many reviews are counted in one transaction, and so many are read at a time to be measured."""


def unmeasured(session: Session) -> Sequence[uuid.UUID]:
    """The closed cycles whose answers are to be measured before any of them is counted, and whose key is there."""
    return session.scalars(
        select(Cycle.id).outerjoin(Custody, Custody.cycle_id == Cycle.id).where(_IS_CLOSED, _IS_OPENED, _IS_UNMEASURED)
    ).all()


def begin_measuring(session: Session, cycle_id: uuid.UUID) -> bool:
    """Counts one more attempt to measure a cycle; False when there were enough, and it is to be left unmeasured.

    In a transaction of its own: it must be known even if the attempt ends its worker.
    """
    is_measured = select(Instrument.cycle_id).where(Instrument.cycle_id == cycle_id).exists()
    return attempts.begin(session, update(Cycle).where(Cycle.id == cycle_id, _IS_CLOSED, ~is_measured), Cycle.attempts)


def leave_unmeasured(session: Session, cycle_id: uuid.UUID) -> bool:
    """Lets a cycle be counted that was begun to be measured too often: there are no figures about it as a whole.

    False when that was done before.
    """
    rounds.locked(session, cycle_id)
    if session.get(Instrument, cycle_id) is not None:
        return False
    session.add(Instrument(cycle_id=cycle_id, body=None))
    return True


def measure(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> bool:
    """Measures how well a closed cycle measured, before anything of it is counted; False when that was done before.

    Opens envelopes one review after the other, and keeps nothing of them but ratings, and those in memory only. Of a
    very large cycle it takes reviews at random, until they have `measurements.ENVELOPES`. Raises `KeyMissing`.
    """
    cycle = rounds.locked(session, cycle_id)
    if cycle.phase != Phase.CLOSED or not session.scalar(select(exists().where(Cycle.id == cycle_id, _IS_UNMEASURED))):
        return False
    key_places.require(session, keyring)
    found = None
    # Where a review was counted already, by a program that did not measure, the rest would be no picture of the whole.
    if not session.scalar(select(exists().where(Review.cycle_id == cycle_id, Review.is_tallied))):
        found = measurements.measure(
            _opened(session, cycle_id, keyring.read(cycle_id)),
            k=cycle.minimum,
            attendance=_attendance(session, cycle_id),
            sample=SystemRandom().sample,
        )
    session.add(Instrument(cycle_id=cycle_id, body=None if found is None else values.dump(found)))
    return True


def waiting(session: Session) -> Sequence[Sequence[uuid.UUID]]:
    """The reviews of closed cycles that can be counted: measured, the key is there, and the auditor did not object.

    Those of cancelled cycles need no key: their envelopes are deleted as they are. They come in batches of one cycle,
    each for one transaction. What was begun before comes alone: a review that ends its worker takes no other along.
    """
    rows = session.execute(
        select(Review.id, Review.cycle_id, Review.attempts)
        .join(Cycle)
        .outerjoin(Custody, Custody.cycle_id == Cycle.id)
        .where(
            _IS_CLOSED,
            counting.IS_UNCOUNTED,
            Review.is_objected.is_(False),
            or_(_IS_OPENED, Cycle.is_cancelled),
            ~_IS_UNMEASURED,
        )
        .order_by(Review.id)
    ).all()
    fresh: dict[uuid.UUID, list[uuid.UUID]] = {}
    for review_id, cycle_id, tried in rows:
        if not tried:
            fresh.setdefault(cycle_id, []).append(review_id)
    batches = [own[first : first + BATCH] for own in fresh.values() for first in range(0, len(own), BATCH)]
    return batches + [[review_id] for review_id, _, tried in rows if tried]


def begin(session: Session, review_ids: Sequence[uuid.UUID]) -> Begun:
    """Counts one more attempt to count these reviews. Of several, those that were begun before are passed over.

    So are those that are counted, were objected to, or are being counted just now. In a transaction of its own: it
    must be known even if the attempt ends its worker.
    """
    rows = counting.begin(session, review_ids)
    return Begun(
        [row.id for row in rows if row.attempts <= ATTEMPTS],
        [row.id for row in rows if row.attempts > ATTEMPTS],
    )


@dataclass(frozen=True)
class Begun:
    """Which reviews may be counted now, and which were begun too often: they are to be `set_apart`."""

    ready: Sequence[uuid.UUID]
    given_up: Sequence[uuid.UUID]


def take_back(session: Session, review_ids: Sequence[uuid.UUID]) -> None:
    """Takes back one attempt to count reviews that failed for want of the key, which may still be brought."""
    session.execute(
        update(Review)
        .where(Review.id.in_(review_ids))
        .values(attempts=Review.attempts - 1)
        .execution_options(synchronize_session=False)
    )


def count(session: Session, review_ids: Sequence[uuid.UUID], keyring: Keyring) -> Counted:
    """Counts these reviews, one after the other: each is there opened only while it is counted.

    Passed over is what was counted before or is being counted just now, and what waits: for people operations, or to
    be measured. In one transaction: cells and comments are written, with what else may be said of each review, and
    the envelopes deleted; of a cancelled cycle they are deleted unopened. Where the auditor objects nothing is written
    of that review, and the caller sets it apart with `object_to`. Raises `IllegalStep` while the cycle is open, and
    `KeyMissing`; nothing is counted then.
    """
    found = counting.due(session, review_ids)
    if any(row.phase != Phase.CLOSED for row in found):
        raise IllegalStep("Answers are counted after the round has closed, and only once.")
    unmeasured = session.scalars(_UNMEASURED, {"cycle_ids": list({row.cycle_id for row in found})}).all()
    rows = [row for row in found if row.cycle_id not in unmeasured]
    if any(not row.is_cancelled for row in rows):
        key_places.require(session, keyring)
    keys = {cycle_id: keyring.read(cycle_id) for cycle_id in {row.cycle_id for row in rows if not row.is_cancelled}}
    boxes = envelopes.boxes(session, [row.id for row in rows if not row.is_cancelled])
    published: dict[uuid.UUID, Published] = {}
    objected = []
    for row in rows:
        if row.is_cancelled:
            continue
        try:
            published[row.id] = _publish(
                row.questionnaire, boxes.pop(row.id), keys[row.cycle_id], row.minimum, row.invited
            )
        except Unsafe:
            objected.append(row.id)
    counted = [row.id for row in rows if row.id not in objected]
    if counted:
        reports.write(session, published)
        envelopes.discard(session, counted)
        beside = {about: values.dump(replace(own, cells=(), comments=())) for about, own in published.items()}
        counting.note(session, {about: beside.get(about) for about in counted})
    return Counted(counted, objected, {row.cycle_id for row in rows if row.id in counted})


@dataclass(frozen=True)
class Counted:
    """Which reviews were counted, to whose reports the auditor objected, and in which cycles something was counted."""

    counted: Sequence[uuid.UUID]
    objected: Sequence[uuid.UUID]
    cycles: Collection[uuid.UUID]


def _publish(
    questionnaire: str, boxes: Sequence[bytes], private_key: PrivateKey, k: int, invited: Mapping[str, int] | None
) -> Published:
    """What may be said of one review. Its answers are nowhere but in here."""
    randomness = SystemRandom()
    responses = [envelopes.unseal(box, private_key) for box in boxes]
    randomness.shuffle(responses)
    if invited is not None:
        responses = disclosure.seated(responses, invited)
    return disclosure.publish(questionnaires.parsed(questionnaire), responses, k=k, shuffle=randomness.shuffle)


def finish(session: Session) -> Sequence[uuid.UUID]:
    """Moves on every closed cycle that is counted and has its reports; the value names those whose key must go.

    Drafts of closed cycles are deleted, even where the count waits for people.
    """
    closed = select(Cycle.id).where(Cycle.phase == Phase.CLOSED)
    session.execute(delete(Draft).where(Draft.cycle_id.in_(closed)))
    uncounted = exists().where(Review.cycle_id == Cycle.id, counting.IS_UNCOUNTED)
    unbuilt = exists().where(Review.cycle_id == Cycle.id, Review.published.is_not(None))
    for cycle in session.scalars(select(Cycle).where(_IS_CLOSED, ~uncounted, ~unbuilt).with_for_update()):
        cycle.phase = cycles.step(Phase(cycle.phase), Phase.TALLIED)
    session.flush()
    return session.scalars(
        select(Cycle.id).where(Cycle.phase == Phase.TALLIED, Cycle.is_key_destroyed.is_(False))
    ).all()


def destroy_key(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> None:
    """Destroys the key of a counted cycle. `note_destroyed` says so when nothing is left of the envelopes either.

    After a crash between the two both are simply done again. Raises `KeyMissing` where there is none and there was
    none when this was begun: whoever lacks a key cannot say that it is destroyed.
    """
    cycle = session.get(Cycle, cycle_id)
    if cycle is None or cycle.phase != Phase.TALLIED:
        raise IllegalStep("A key is destroyed after the count, not before.")
    key_places.require(session, keyring)
    if not (cycle.is_key_found or cycle.is_key_lost or keyring.is_kept(cycle_id)):
        raise KeyMissing("The key of this round is not in the directory of keys, so it cannot be destroyed.")
    keyring.destroy(cycle_id)


def note_destroyed(session: Session, cycle_ids: Collection[uuid.UUID]) -> None:
    """Notes that the keys of these cycles are destroyed: they may be released."""
    session.execute(
        update(Cycle)
        .where(Cycle.id.in_(cycle_ids))
        .values(is_key_destroyed=True)
        .execution_options(synchronize_session=False)
    )


def object_to(session: Session, review_id: uuid.UUID, *, now: datetime) -> None:
    """Sets a review apart to whose report the auditor objected: no sweep counts it, and people operations get a mail.

    Why it objected is written nowhere, because that could tell about answers.
    """
    _set_apart(session, review_id, Event.AUDITOR_OBJECTED, now)


def set_apart(session: Session, review_id: uuid.UUID, *, now: datetime) -> None:
    """Sets a review apart that was begun too often and never counted: people operations settle it like an objection."""
    _set_apart(session, review_id, Event.COUNT_GIVEN_UP, now)


def _set_apart(session: Session, review_id: uuid.UUID, event: Event, now: datetime) -> None:
    review = _unfinished(session, review_id)
    if review.is_tallied:
        raise IllegalStep("This review has been counted already.")
    if not review.is_objected:
        attempts.set_apart(session, review, event, now=now)


def objected(session: Session, cycle_id: uuid.UUID) -> Sequence[Review]:
    """The reviews of a cycle that wait for people operations: the auditor objected, or counting them failed, or
    building their report.
    """
    return session.scalars(
        select(Review)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id, Review.is_objected, rounds.IS_UNFINISHED)
        .order_by(*by_name())
    ).all()


def try_again(session: Session, review_id: uuid.UUID) -> None:
    """Lets the next sweep go on with a review that was set apart: count it, or build its report where it is counted.

    Raises `IllegalStep` for any other.
    """
    review = _unfinished(session, review_id)
    if not review.is_objected:
        raise IllegalStep("This review is not waiting for anybody; it is being counted.")
    review.is_objected, review.attempts = False, 0
    # Should the auditor object once more, there is a mail once more.
    session.execute(delete(Mail).where(Mail.kind == Kind.OBJECTION, Mail.reference == review_id))


def abandon(session: Session, review_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Publishes nothing for a review that was set apart: its envelopes are deleted, or what was counted of them.

    There is no report then, and its subject is told so. Raises `IllegalStep` for any other review.
    """
    review = _unfinished(session, review_id)
    if not review.is_objected:
        raise IllegalStep("Only a review to which the auditor objected can be given up.")
    _give_up(session, review, actor_id, now)


def delete_review(session: Session, review_id: uuid.UUID, *, actor_id: uuid.UUID | None = None, now: datetime) -> None:
    """Deletes a review of an open cycle that nobody is asked about any more, with its sealed answers, unopened.

    Raises `IllegalStep` for any other. Nominations and invitations go with it.
    """
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None or review.cycle.phase != Phase.OPEN:
        raise IllegalStep("Only of a round that is open can a review be deleted.")
    cycle_id = review.cycle_id
    envelopes.discard(session, [review_id])
    session.execute(delete(Review).where(Review.id == review_id).execution_options(synchronize_session=False))
    session.expire_all()
    detail = {"taken out": "1"}
    audit.record(session, Event.CYCLE_CHANGED, actor_id=actor_id, about=cycle_id, now=now, detail=detail)


def abandon_locked(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Publishes nothing for any review of a cycle whose passphrase is lost. Raises `IllegalStep` for any other."""
    custody = session.get(Custody, cycle_id)
    if custody is None or custody.is_unlocked:
        raise IllegalStep("Only a closed round that waits for its passphrase can be given up.")
    _abandon_all(session, cycle_id, actor_id, now)


def abandon_keyless(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Publishes nothing of what waits in a closed cycle whose key is lost. Raises `IllegalStep` for any other."""
    if not session.scalar(select(Cycle.is_key_lost).where(Cycle.id == cycle_id)):
        raise IllegalStep("Only a closed round whose key is lost can be given up.")
    _abandon_all(session, cycle_id, actor_id, now)


def _abandon_all(session: Session, cycle_id: uuid.UUID, actor_id: uuid.UUID, now: datetime) -> None:
    cycle = session.scalar(select(Cycle).where(Cycle.id == cycle_id).with_for_update(of=Cycle))
    if cycle is None or cycle.phase != Phase.CLOSED:
        raise IllegalStep("Only a round that has closed and is not counted can be given up.")
    for review in cycle.reviews:
        if not review.is_tallied:
            _give_up(session, review, actor_id, now)


_IS_CLOSED = Cycle.phase == Phase.CLOSED
_IS_OPENED = or_(Custody.cycle_id.is_(None), Custody.is_unlocked)
_REVIEWS = select(func.count(Review.id)).where(Review.cycle_id == Cycle.id).correlate(Cycle)
_IS_UNMEASURED = and_(
    Cycle.is_cancelled.is_(False),
    ~select(Instrument.cycle_id).where(Instrument.cycle_id == Cycle.id).correlate(Cycle).exists(),
    _REVIEWS.scalar_subquery() >= measurements.SUBJECTS,
    _REVIEWS.where(counting.IS_UNCOUNTED).scalar_subquery() > 0,
)
_UNMEASURED = select(Cycle.id).where(Cycle.id.in_(bindparam("cycle_ids", expanding=True)), _IS_UNMEASURED)


def _opened(
    session: Session, cycle_id: uuid.UUID, private_key: PrivateKey
) -> Iterator[tuple[Questionnaire, list[Response]]]:
    """The answers of a cycle, review by review in random order; each is there only while it is looked at."""
    reviews = list(session.scalars(select(Review.id).where(Review.cycle_id == cycle_id)))
    SystemRandom().shuffle(reviews)
    opened = 0
    for first in range(0, len(reviews), BATCH):
        some = reviews[first : first + BATCH]
        asked = session.execute(select(Review.id, rounds.QUESTIONNAIRE).where(Review.id.in_(some)))
        plain, boxes = {row.id: row.questionnaire for row in asked}, envelopes.boxes(session, some)
        for number, review_id in enumerate(some, first):
            if number >= measurements.SUBJECTS and opened >= measurements.ENVELOPES:
                return
            opened += len(boxes[review_id])
            responses = [envelopes.unseal(box, private_key) for box in boxes[review_id]]
            yield questionnaires.parsed(plain[review_id]), responses


def _attendance(session: Session, cycle_id: uuid.UUID) -> tuple[int, int]:
    """How many answered in a cycle, and how many were invited, in all relationships together."""
    answers = dict(
        session.execute(
            select(Envelope.review_id, func.count())
            .join(Review, Review.id == Envelope.review_id)
            .where(Review.cycle_id == cycle_id)
            .group_by(Envelope.review_id)
        ).all()
    )
    answered = asked = 0
    for review_id, invited in session.execute(select(Review.id, Review.invited).where(Review.cycle_id == cycle_id)):
        places = sum((invited or {}).values())
        answered += participation.shown(answers.get(review_id, 0), places)
        asked += places
    return answered, asked


def _unfinished(session: Session, review_id: uuid.UUID) -> Review:
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    if review.cycle.phase != Phase.CLOSED or (review.is_tallied and review.published is None):
        raise IllegalStep("This review has been counted already, or its round is still open.")
    return review


def _give_up(session: Session, review: Review, actor_id: uuid.UUID, now: datetime) -> None:
    envelopes.discard(session, [review.id])
    for table in (Cell, Comment):
        session.execute(delete(table).where(table.review_id == review.id))
    review.is_tallied, review.published = True, None
    session.flush()
    audit.record(session, Event.REPORT_ABANDONED, actor_id=actor_id, about=review.id, now=now)
