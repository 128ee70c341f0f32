"""Cycles: drafted, opened, moved, closed, released."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from survey.core import competencies, cycles, questionnaires, values
from survey.core.competencies import Section
from survey.core.cycles import Phase, Warning
from survey.core.errors import BadInput, NotFound
from survey.core.letters import Kind
from survey.core.mailings import CONSIDERATE, Pace
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.store import invitations, mailings, outbox
from survey.store.competencies import CompetencyPage
from survey.store.cycles import Cycle, Review, ReviewPage
from survey.store.invitations import Invitation, InvitationToken
from survey.store.keys import Keyring
from survey.store.mailings import RefusedAddress
from survey.store.nominations import Nomination
from survey.store.people import Person

MANY_COLLEAGUES = 8


@dataclass(frozen=True)
class Progress:
    """How a review is going, in counts. Nothing finer exists for anybody."""

    invited: int
    answered: int


@dataclass(frozen=True)
class Undelivered:
    """Somebody whose address refused our mail; `is_corrected` when they have another address by now."""

    name: str
    address: str
    is_corrected: bool


def draft(
    session: Session,
    name: str,
    *,
    launcher_id: uuid.UUID,
    minimum: int,
    closes_at: datetime,
    blocks: Iterable[Section] = questionnaires.ON_BY_DEFAULT,
    now: datetime,
) -> Cycle:
    """A new cycle in draft. Raises `BadInput` for a missing name, a minimum that does not protect, or an early end."""
    name = " ".join(name.split())
    if not name:
        raise BadInput("The round needs a name, as it will stand in the invitations.")
    cycle = Cycle(
        name=name,
        launcher_id=launcher_id,
        minimum=cycles.check_minimum(minimum),
        closes_at=cycles.check_end(now, closes_at),
        blocks=sorted(set(blocks) | questionnaires.ALWAYS_ON),
    )
    session.add(cycle)
    session.flush()
    return cycle


def get(session: Session, cycle_id: uuid.UUID) -> Cycle:
    """The cycle. Raises `NotFound`."""
    cycle = session.get(Cycle, cycle_id)
    if cycle is None:
        raise NotFound("There is no such round.")
    return cycle


def review(session: Session, review_id: uuid.UUID) -> Review:
    """The review. Raises `NotFound`."""
    row = session.get(Review, review_id)
    if row is None:
        raise NotFound("There is no such review.")
    return row


def everything(session: Session) -> Sequence[Cycle]:
    """All cycles, the one that ends last first."""
    return session.scalars(select(Cycle).order_by(Cycle.closes_at.desc(), Cycle.name)).all()


def launched_by(session: Session, person_id: uuid.UUID) -> Sequence[Cycle]:
    """The cycles of one launcher, the one that ends last first."""
    return session.scalars(
        select(Cycle).where(Cycle.launcher_id == person_id).order_by(Cycle.closes_at.desc(), Cycle.name)
    ).all()


def add_review(session: Session, cycle_id: uuid.UUID, subject_id: uuid.UUID, page_ids: Sequence[uuid.UUID]) -> Review:
    """A review of this person on these pages, in a draft. Raises `BadInput` when the person is in the cycle already."""
    cycle = get(session, cycle_id)
    cycles.require(Phase(cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    subject = session.get(Person, subject_id)
    if subject is None or not subject.is_active:
        raise BadInput("This person is not known here.")
    if session.scalar(select(Review.id).where(Review.cycle_id == cycle_id, Review.subject_id == subject_id)):
        raise BadInput(f"{subject.name} is in this round already.")
    pages = {page.id: page for page in session.scalars(select(CompetencyPage).where(CompetencyPage.id.in_(page_ids)))}
    if not page_ids or any(page_id not in pages for page_id in page_ids):
        raise BadInput("Choose at least one page that this person will be reviewed on.")
    row = Review(
        cycle=cycle,
        subject=subject,
        pages=[ReviewPage(position=position, page=pages[page_id]) for position, page_id in enumerate(page_ids, 1)],
    )
    session.add(row)
    session.flush()
    return row


def remove_review(session: Session, review_id: uuid.UUID) -> None:
    """Takes a person out of a draft."""
    row = review(session, review_id)
    cycles.require(Phase(row.cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    session.execute(delete(Nomination).where(Nomination.review_id == review_id))
    session.delete(row)
    session.flush()


def delete_draft(session: Session, cycle_id: uuid.UUID) -> None:
    """Deletes a cycle that nobody has been asked about."""
    cycle = get(session, cycle_id)
    cycles.require(Phase(cycle.phase), Phase.DRAFT, Phase.NOMINATING)
    session.delete(cycle)
    session.flush()


def questionnaire(row: Review) -> Questionnaire:
    """What is asked in a review: frozen at launch, and before that as the pages and blocks have it now."""
    if row.questionnaire is not None:
        return values.load(Questionnaire, row.questionnaire)
    return questionnaires.build(
        [
            (
                str(entry.page.id),
                entry.page.version,
                entry.page.competency.name,
                competencies.from_json(entry.page.body),
            )
            for entry in row.pages
        ],
        blocks=[Section(block) for block in row.cycle.blocks],
    )


def warnings(session: Session, cycle_id: uuid.UUID) -> list[Warning]:
    """What will go wrong if the cycle is opened as it is, with the remedy."""
    cycle = get(session, cycle_id)
    weak = cycles.weak_minimum(cycle.minimum)
    found = [weak] if weak else []
    chosen: dict[uuid.UUID, Counter[Relationship]] = {}
    load: Counter[str] = Counter()
    for review_id, kind, name in session.execute(
        select(Nomination.review_id, Nomination.relationship, Person.name)
        .join(Review, Review.id == Nomination.review_id)
        .join(Person, Person.id == Nomination.rater_id)
        .where(Review.cycle_id == cycle_id)
    ):
        chosen.setdefault(review_id, Counter())[Relationship(kind)] += 1
        load[name] += 1
    for row in cycle.reviews:
        found += cycles.warnings(row.subject.name, dict(chosen.get(row.id, {})), cycle.minimum)
    found += [
        Warning(f"{name} is asked about {count} colleagues.", "Ask somebody else about some of them.")
        for name, count in sorted(load.items())
        if count > MANY_COLLEAGUES
    ]
    return found


def open_(session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, pace: Pace = CONSIDERATE, now: datetime) -> None:
    """Opens the cycle: a key is made, questionnaires are frozen, invitations and what will be mailed are written.

    Raises `IllegalStep` unless it is a draft, and `BadInput` when nobody, or nobody but the subject, is asked.
    """
    cycle = _locked(session, cycle_id)
    opened = cycles.step(Phase(cycle.phase), Phase.OPEN)
    cycles.check_end(now, cycle.closes_at)
    if not cycle.reviews:
        raise BadInput("Nobody is under review in this round yet.")
    rows = session.execute(
        select(Nomination.review_id, Nomination.rater_id, Nomination.relationship)
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id)
    ).all()
    invited: dict[uuid.UUID, Counter[str]] = {}
    for review_id, _, kind in rows:
        invited.setdefault(review_id, Counter())[kind] += 1
    for row in cycle.reviews:
        counts = invited.get(row.id, Counter())
        if not counts.keys() - {Relationship.SELF}:
            raise BadInput(f"Nobody is asked about {row.subject.name} yet.")
        asked = questionnaire(row)
        row.questionnaire, row.invited = values.dump(asked), dict(counts)
        row.minutes = {kind: asked.for_rater(kind).minutes for kind in Relationship}
    cycle.phase, cycle.opens_at, cycle.public_key = opened, now, keyring.make(cycle.id)
    session.flush()
    session.execute(
        insert(Invitation),
        [
            {"id": uuid.uuid4(), "review_id": review_id, "rater_id": rater_id, "relationship": kind, "state": "open"}
            for review_id, rater_id, kind in rows
        ],
    )
    raters = (rater_id for _, rater_id, _ in rows)
    mailings.plan(session, cycle_id, raters, opens_at=now, closes_at=cycle.closes_at, pace=pace)


def move_end(
    session: Session, cycle_id: uuid.UUID, closes_at: datetime, *, pace: Pace = CONSIDERATE, now: datetime
) -> None:
    """Another end for a draft or an open cycle; reminders that have not gone out move with it."""
    cycle = _locked(session, cycle_id)
    phase = Phase(cycle.phase)
    cycles.require(phase, Phase.DRAFT, Phase.NOMINATING, Phase.OPEN)
    cycle.closes_at = cycles.check_end(now, closes_at)
    if phase is not Phase.OPEN:
        return
    assert cycle.opens_at is not None  # noqa: S101 - an open cycle has been opened
    mailings.replan(session, cycle_id, opens_at=cycle.opens_at, closes_at=closes_at, pace=pace)


def close(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Closes the cycle: from here on no answer is accepted, and the tally may begin.

    Every open invitation becomes void in the same transaction. An answer that is being written holds the row of
    its invitation; so it is either in before this, or finds the invitation void.
    """
    cycle = _locked(session, cycle_id)
    cycle.phase = cycles.step(Phase(cycle.phase), Phase.CLOSED)
    cycle.closes_at = min(cycle.closes_at, now)
    session.flush()
    asked = select(Invitation.id).join(Review, Review.id == Invitation.review_id).where(Review.cycle_id == cycle_id)
    session.execute(
        update(Invitation)
        .where(Invitation.id.in_(asked), Invitation.state == invitations.State.OPEN)
        .values(state=invitations.State.VOID)
    )
    session.execute(delete(InvitationToken).where(InvitationToken.invitation_id.in_(asked)))
    mailings.forget(session, cycle_id)


def close_due(session: Session, *, now: datetime) -> list[uuid.UUID]:
    """Closes every open cycle whose end has come; the value names them."""
    due = session.scalars(select(Cycle.id).where(Cycle.phase == Phase.OPEN, Cycle.closes_at <= now)).all()
    for cycle_id in due:
        close(session, cycle_id, now=now)
    return list(due)


def release(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Lets subjects and their managers read the reports, and mails the subjects.

    Raises `IllegalStep` before everything is counted and the key is destroyed.
    """
    cycle = _locked(session, cycle_id)
    to = cycles.step(Phase(cycle.phase), Phase.RELEASED)
    if not cycle.is_key_destroyed:
        raise BadInput("The key of this round is just being destroyed. Please try again in a minute.")
    cycle.phase = to
    session.add_all(
        outbox.Mail(kind=Kind.REPORT, person_id=row.subject_id, reference=row.id, due_at=now) for row in cycle.reviews
    )


def progress(session: Session, cycle_id: uuid.UUID) -> dict[uuid.UUID, Progress]:
    """Invited and answered per review: two counts, of all relationships together."""
    rows = session.execute(
        select(
            Review.id,
            func.count(Invitation.id),
            func.count(Invitation.id).filter(Invitation.state == invitations.State.DONE),
        )
        .join(Invitation, Invitation.review_id == Review.id)
        .where(Review.cycle_id == cycle_id)
        .group_by(Review.id)
    )
    return {review_id: Progress(invited, answered) for review_id, invited, answered in rows}


def undelivered(session: Session, cycle_id: uuid.UUID) -> Sequence[Undelivered]:
    """Who is asked in this cycle and has an address that refused our mail, whether or not they have answered since."""
    rows = session.execute(
        select(Person.name, RefusedAddress.address, Person.address.label("current"))
        .join(RefusedAddress, RefusedAddress.person_id == Person.id)
        .where(
            Person.id.in_(
                select(Invitation.rater_id)
                .join(Review, Review.id == Invitation.review_id)
                .where(Review.cycle_id == cycle_id)
            )
        )
        .order_by(Person.name)
    )
    return [Undelivered(row.name, row.address, row.address != row.current) for row in rows]


def _locked(session: Session, cycle_id: uuid.UUID) -> Cycle:
    cycle = session.scalar(select(Cycle).where(Cycle.id == cycle_id).with_for_update(of=Cycle))
    if cycle is None:
        raise NotFound("There is no such round.")
    return cycle
