"""Mail on its way: leased, composed when it is still wanted, and marked when it is out.

No connection to the database is held while a mail is being sent: each function here is one short transaction of
its caller.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from survey.core import nominations, values
from survey.core.cycles import Phase
from survey.core.letters import Colleague, Kind, Letter
from survey.core.nominations import Choice
from survey.core.questionnaires import Questionnaire
from survey.core.relationships import Relationship
from survey.store import invitations
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.store.outbox import Mail, State
from survey.store.people import Person, SignInLink
from survey.store.plans import Plan
from survey.store.reports import Report

LEASE = timedelta(minutes=2)
ATTEMPTS = 6
LINK_LIFE = timedelta(minutes=10)


def lease(session: Session, *, now: datetime, limit: int = 50) -> Sequence[uuid.UUID]:
    """The mails that are due, reserved for the caller for two minutes. Each goes to one caller only."""
    due = (
        select(Mail.id)
        .where(
            Mail.state == State.WAITING,
            Mail.due_at <= now,
            or_(Mail.lease_until.is_(None), Mail.lease_until < now),
        )
        .order_by(Mail.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = session.scalars(due).all()
    session.execute(
        update(Mail)
        .where(Mail.id.in_(ids))
        .values(lease_until=now + LEASE, attempts=Mail.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    return ids


def compose(session: Session, mail_id: uuid.UUID, *, now: datetime) -> Letter | None:
    """The letter for a leased mail, or None when it is no longer wanted. A token is minted and its hash written.

    A reminder that was started before and may be out already is dropped: rather none than two.
    """
    mail = session.get(Mail, mail_id)
    if mail is None or mail.state != State.WAITING:
        return None
    person = session.get(Person, mail.person_id)
    letter = None
    if person is not None and person.is_active:
        letter = _COMPOSERS[Kind(mail.kind)](session, mail, person, now)
    if letter is None:
        mail.state = State.DROPPED
    return letter


def sent(session: Session, mail_id: uuid.UUID) -> None:
    """Marks a mail that the server has taken."""
    _settle(session, mail_id, State.SENT)


def refused(session: Session, mail_id: uuid.UUID) -> None:
    """Marks a mail that the server refuses for good; the launcher sees the address."""
    _settle(session, mail_id, State.FAILED)


def delayed(session: Session, mail_id: uuid.UUID, *, now: datetime) -> None:
    """Puts a mail back that could not be delivered for now: later each time, up to a day, six times at most."""
    mail = session.get(Mail, mail_id)
    if mail is None or mail.state != State.WAITING:
        return
    if mail.attempts >= ATTEMPTS:
        mail.state = State.FAILED
        return
    # Jitter spreads the retries of many mails; it guards nothing.
    pause = min(30.0 * 4 ** (mail.attempts - 1), 86_400.0) * random.uniform(0.8, 1.2)  # noqa: S311
    mail.due_at = now + timedelta(seconds=pause)
    mail.lease_until = None


def _settle(session: Session, mail_id: uuid.UUID, state: State) -> None:
    session.execute(update(Mail).where(Mail.id == mail_id).values(state=state, lease_until=None))


def _sign_in(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    if mail.due_at < now - LINK_LIFE:
        return None
    token, token_hash = mint()
    session.add(SignInLink(hash=token_hash, person_id=person.id, expires_at=now + LINK_LIFE))
    return Letter(Kind.SIGN_IN, person.address, person.name, _message_id(mail), token=token)


def _invitation(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    if mail.kind == Kind.REMINDER and mail.attempts > 1:
        return None
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.OPEN or cycle.closes_at <= now:
        return None
    rows = session.execute(
        select(Invitation.id, Invitation.relationship, Person.name, Review.questionnaire)
        .join(Review, Review.id == Invitation.review_id)
        .join(Person, Person.id == Review.subject_id)
        .where(
            Review.cycle_id == cycle.id,
            Invitation.rater_id == person.id,
            Invitation.state == invitations.State.OPEN,
        )
        .order_by(Person.name)
    ).all()
    if not rows:
        return None
    token, token_hash = mint()
    session.add_all(InvitationToken(hash=token_hash, invitation_id=invitation_id) for invitation_id, *_ in rows)
    return Letter(
        Kind(mail.kind),
        person.address,
        person.name,
        _message_id(mail),
        token=token,
        cycle=cycle.name,
        closes_at=cycle.closes_at,
        k=cycle.minimum,
        colleagues=tuple(
            Colleague(
                name,
                Relationship(kind),
                values.load(Questionnaire, questionnaire).for_rater(Relationship(kind)).minutes,
            )
            for _, kind, name, questionnaire in rows
        ),
    )


def _report(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or review.cycle.phase != Phase.RELEASED or review.cycle.held_until is not None:
        return None
    kind = Kind.REPORT if session.get(Report, review.id) else Kind.NO_REPORT
    return Letter(kind, person.address, person.name, _message_id(mail), cycle=review.cycle.name, review_id=review.id)


def _team_reports(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    """To a manager: about whom they may read a report, and until when the others may not."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.RELEASED:
        return None
    names = session.scalars(
        select(Person.name)
        .join(Review, Review.subject_id == Person.id)
        .where(Review.cycle_id == cycle.id, Person.manager_id == person.id)
        .order_by(Person.name)
    ).all()
    if not names:
        return None
    return Letter(
        Kind.TEAM_REPORTS,
        person.address,
        person.name,
        _message_id(mail),
        cycle=cycle.name,
        subjects=tuple(names),
        held_until=cycle.held_until,
    )


def _check_in(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    """To the subject, on the day that they chose and have not changed since. Says nothing of what they planned."""
    plan, review = session.get(Plan, mail.reference), session.get(Review, mail.reference)
    if plan is None or review is None or str(plan.check_in_on) != mail.slot:
        return None
    return Letter(
        Kind.CHECK_IN, person.address, person.name, _message_id(mail), cycle=review.cycle.name, review_id=review.id
    )


def _passphrase(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    cycle, custody = session.get(Cycle, mail.reference), session.get(Custody, mail.reference)
    if cycle is None or cycle.phase != Phase.CLOSED or custody is None or custody.is_unlocked:
        return None
    return Letter(Kind.LOCKED, person.address, person.name, _message_id(mail), cycle=cycle.name, cycle_id=cycle.id)


def _objection(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or not review.is_objected or review.is_tallied:
        return None
    return Letter(
        Kind.OBJECTION,
        person.address,
        person.name,
        _message_id(mail),
        cycle=review.cycle.name,
        cycle_id=review.cycle_id,
    )


def _nomination(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or review.cycle.phase != Phase.NOMINATING or review.choice != Choice.OPEN:
        return None
    assert review.cycle.opens_at is not None  # noqa: S101 - a cycle has a day of opening while raters are chosen
    return Letter(
        Kind.NOMINATION,
        person.address,
        person.name,
        _message_id(mail),
        cycle=review.cycle.name,
        closes_at=nominations.approves_itself_at(review.cycle.opens_at),
        review_id=review.id,
    )


def _approval(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    """What waits for a manager: the first proposal, and in the end everything that nobody has approved."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.NOMINATING or cycle.opens_at is None:
        return None
    states = [Choice.PROPOSED] if mail.slot == "first" else [Choice.PROPOSED, Choice.OPEN]
    names = session.scalars(
        select(Person.name)
        .join(Review, Review.subject_id == Person.id)
        .where(Review.cycle_id == cycle.id, Person.manager_id == person.id, Review.choice.in_(states))
        .order_by(Person.name)
    ).all()
    if not names:
        return None
    return Letter(
        Kind.APPROVAL,
        person.address,
        person.name,
        _message_id(mail),
        cycle=cycle.name,
        closes_at=nominations.approves_itself_at(cycle.opens_at),
        subjects=tuple(names),
    )


def _not_opened(session: Session, mail: Mail, person: Person, now: datetime) -> Letter | None:
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase not in {Phase.DRAFT, Phase.NOMINATING}:
        return None
    return Letter(Kind.NOT_OPENED, person.address, person.name, _message_id(mail), cycle=cycle.name, cycle_id=cycle.id)


def _message_id(mail: Mail) -> str:
    """The same for every attempt, so that a mailbox recognises a mail that came twice."""
    return mail.id.hex


_COMPOSERS = {
    Kind.SIGN_IN: _sign_in,
    Kind.INVITATION: _invitation,
    Kind.REMINDER: _invitation,
    Kind.REPORT: _report,
    Kind.NOMINATION: _nomination,
    Kind.APPROVAL: _approval,
    Kind.NOT_OPENED: _not_opened,
    Kind.LOCKED: _passphrase,
    Kind.OBJECTION: _objection,
    Kind.TEAM_REPORTS: _team_reports,
    Kind.CHECK_IN: _check_in,
}
