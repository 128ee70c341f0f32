"""Cycles: opened, moved, closed, released. Setting one up is in services/drafts."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from survey.core import competencies, cycles, questionnaires, releases, teams, values
from survey.core.access import Role
from survey.core.competencies import Section
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, NotFound
from survey.core.letters import Kind
from survey.core.questionnaires import Questionnaire, Scale
from survey.core.relationships import Relationship
from survey.store import cycles as store
from survey.store import invitations, outbox, people
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken
from survey.store.keys import Keyring
from survey.store.nominations import Nomination
from survey.store.people import Person


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
        frequency=frequency(row.cycle),
    )


def frequency(cycle: Cycle) -> Scale:
    """The words of this cycle's frequency scale."""
    return Scale(tuple(cycle.labels[:-1]), cycle.labels[-1]) if cycle.labels else questionnaires.FREQUENCY


def open_(session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, now: datetime) -> None:
    """Opens the cycle: a key is made, questionnaires and teams are frozen, invitations and their mails are written.

    Raises `IllegalStep` unless it is a draft, and `BadInput` when nobody, or nobody but the subject, is asked, or
    custodians hold the key and have not tested their passphrases.
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
    chart = people.chart(session)
    for row in cycle.reviews:
        counts = invited.get(row.id, Counter())
        if not counts.keys() - {Relationship.SELF}:
            raise BadInput(f"Nobody is asked about {row.subject.name} yet.")
        row.questionnaire = values.dump(questionnaire(row))
        row.invited = dict(counts)
        row.managers = list(teams.path(str(row.subject_id), chart))
    cycle.phase, cycle.opens_at, cycle.public_key = opened, now, _sealing_key(session, cycle_id, keyring)
    session.flush()
    session.execute(
        insert(Invitation),
        [
            {"id": uuid.uuid4(), "review_id": review_id, "rater_id": rater_id, "relationship": kind, "state": "open"}
            for review_id, rater_id, kind in rows
        ],
    )
    planned = [(Kind.INVITATION, "", now)] + [
        (Kind.REMINDER, reminder.slot, reminder.due_at) for reminder in cycles.reminders(now, cycle.closes_at)
    ]
    session.execute(
        insert(outbox.Mail),
        [
            {"kind": kind, "person_id": rater_id, "reference": cycle_id, "slot": slot, "due_at": due_at}
            for rater_id in dict.fromkeys(rater_id for _, rater_id, _ in rows)
            for kind, slot, due_at in planned
        ],
    )


def open_due(session: Session, keyring: Keyring, *, now: datetime) -> list[uuid.UUID]:
    """Opens every cycle whose day has come; the value names them.

    One that cannot be opened stays a draft, and its launcher gets a mail.
    """
    due = session.scalars(
        select(Cycle).where(Cycle.phase.in_((Phase.DRAFT, Phase.NOMINATING)), Cycle.is_scheduled, Cycle.opens_at <= now)
    ).all()
    opened = []
    for cycle in due:
        try:
            with session.begin_nested():
                open_(session, cycle.id, keyring, now=now)
        except BadInput:
            cycle.is_scheduled = False
            session.add(
                outbox.Mail(
                    kind=Kind.NOT_OPENED,
                    person_id=cycle.launcher_id,
                    reference=cycle.id,
                    slot=f"{now:%Y-%m-%d}",
                    due_at=now,
                )
            )
        else:
            opened.append(cycle.id)
    return opened


def move_end(session: Session, cycle_id: uuid.UUID, closes_at: datetime, *, now: datetime) -> None:
    """Another end for a draft or an open cycle; reminders that have not gone out move with it."""
    cycle = _locked(session, cycle_id)
    phase = Phase(cycle.phase)
    cycles.require(phase, Phase.DRAFT, Phase.NOMINATING, Phase.OPEN)
    cycle.closes_at = cycles.check_end(now, closes_at)
    if phase is not Phase.OPEN:
        return
    assert cycle.opens_at is not None  # noqa: S101 - an open cycle has been opened
    due = {reminder.slot: reminder.due_at for reminder in cycles.reminders(cycle.opens_at, closes_at)}
    waiting = (
        outbox.Mail.kind == Kind.REMINDER,
        outbox.Mail.reference == cycle_id,
        outbox.Mail.state == outbox.State.WAITING,
    )
    for slot, due_at in due.items():
        session.execute(update(outbox.Mail).where(*waiting, outbox.Mail.slot == slot).values(due_at=due_at))
    session.execute(delete(outbox.Mail).where(*waiting, outbox.Mail.slot.not_in(due.keys())))


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
    session.execute(
        delete(outbox.Mail).where(outbox.Mail.reference == cycle_id, outbox.Mail.state == outbox.State.WAITING)
    )
    _ask_for_passphrase(session, cycle, now)


def cancel(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Ends an open cycle without a report: answers are deleted unopened, and the key with them, by the tally.

    Raises `IllegalStep` unless it is open.
    """
    get(session, cycle_id).is_cancelled = True
    close(session, cycle_id, now=now)


def close_due(session: Session, *, now: datetime) -> list[uuid.UUID]:
    """Closes every open cycle whose end has come; the value names them."""
    due = session.scalars(select(Cycle.id).where(Cycle.phase == Phase.OPEN, Cycle.closes_at <= now)).all()
    for cycle_id in due:
        close(session, cycle_id, now=now)
    return list(due)


def release(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Lets managers and subjects read the reports, and mails them; or managers first, where the cycle wants it so.

    Raises `IllegalStep` before everything is counted and the key is destroyed.
    """
    cycle = _locked(session, cycle_id)
    if cycle.is_cancelled:
        raise IllegalStep("This round was cancelled. Its answers were deleted unopened, so there are no reports.")
    to = cycles.step(Phase(cycle.phase), Phase.RELEASED)
    if not cycle.is_key_destroyed:
        raise BadInput("The key of this round is just being destroyed. Please try again in a minute.")
    cycle.phase, cycle.held_until = to, releases.held_until(now, cycle.manager_days)
    managers = dict.fromkeys(row.subject.manager_id for row in cycle.reviews)
    session.add_all(
        outbox.Mail(kind=Kind.TEAM_REPORTS, person_id=manager_id, reference=cycle_id, due_at=now)
        for manager_id in managers
        if manager_id
    )
    if cycle.held_until is None:
        session.add_all(outbox.about_reports(cycle.reviews, now))


def subjects(session: Session, cycle_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many people are under review, per cycle."""
    rows = session.execute(
        select(Review.cycle_id, func.count()).where(Review.cycle_id.in_(list(cycle_ids))).group_by(Review.cycle_id)
    )
    return dict(rows.all())


def listed(session: Session, cycle_id: uuid.UUID) -> list[tuple[uuid.UUID, str, tuple[str, ...]]]:
    """The reviews of a cycle by the subject's name, each with the titles of its pages; in two queries."""
    titles = store.titles(session, cycle_id)
    rows = session.execute(
        select(Review.id, Person.name)
        .join(Person, Person.id == Review.subject_id)
        .where(Review.cycle_id == cycle_id)
        .order_by(Person.name, Person.address)
    )
    return [(review_id, name, titles.get(review_id, ())) for review_id, name in rows]


def counted(session: Session, cycle_id: uuid.UUID) -> tuple[int, int]:
    """How many reviews of a closed cycle are counted, and how many there are."""
    total, done = session.execute(
        select(func.count(), func.count().filter(Review.is_tallied)).where(Review.cycle_id == cycle_id)
    ).one()
    return done, total


def undelivered(session: Session, cycle_id: uuid.UUID) -> Sequence[str]:
    """Addresses that refused the invitation to this cycle."""
    return session.scalars(
        select(Person.address)
        .join(outbox.Mail, outbox.Mail.person_id == Person.id)
        .where(outbox.Mail.reference == cycle_id, outbox.Mail.state == outbox.State.FAILED)
        .distinct()
        .order_by(Person.address)
    ).all()


def _sealing_key(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> bytes:
    """The public key of an opening cycle: a new one, or the one whose other half its custodians have tested."""
    custody = session.get(Custody, cycle_id)
    if custody is None:
        return keyring.make(cycle_id)
    if not custody.is_tested:
        raise BadInput("Test the passphrase of this round first: nobody has shown yet that it opens the key.")
    if keyring.wrapped_public_key(cycle_id) != custody.public_key:
        raise BadInput("The wrapped key of this round is not where it should be. Choose its custodians again.")
    return custody.public_key


def _ask_for_passphrase(session: Session, cycle: Cycle, now: datetime) -> None:
    """Writes the mails that say that the answers wait for their custodians, if there are any."""
    if session.get(Custody, cycle.id) is None or cycle.is_cancelled:
        return
    asked = select(Person.id).where(
        or_(Person.id == cycle.launcher_id, Person.role == Role.PEOPLE_OPERATIONS), Person.is_active
    )
    session.add_all(
        outbox.Mail(kind=Kind.LOCKED, person_id=person_id, reference=cycle.id, due_at=now)
        for person_id in session.scalars(asked)
    )


def _locked(session: Session, cycle_id: uuid.UUID) -> Cycle:
    cycle = session.scalar(select(Cycle).where(Cycle.id == cycle_id).with_for_update(of=Cycle))
    if cycle is None:
        raise NotFound("There is no such round.")
    return cycle
