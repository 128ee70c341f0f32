"""Mail on its way: leased, composed when it is still wanted, and marked when it is out.

No connection to the database is held while a mail is being sent: each function here is one short transaction of
its caller.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, case, delete, or_, select, update
from sqlalchemy.orm import Session

from survey.core import mailings, nominations
from survey.core.cycles import Phase
from survey.core.letters import Colleague, CyclePart, Kind, Letter
from survey.core.mailings import CONSIDERATE, Pace, Slot
from survey.core.nominations import Choice
from survey.core.relationships import Relationship
from survey.store import invitations, outbox
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, mint
from survey.store.mailings import Mailing, RefusedAddress, snoozed, time_zone_of
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person, SignInLink
from survey.store.plans import Plan
from survey.store.reports import Report

LEASE = timedelta(seconds=12)
"""How long a mail is reserved: one of a killed worker waits no longer than that, a living worker renews it."""

PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
ATTEMPTS = len(PAUSES) + 1
LINK_LIFE = timedelta(minutes=10)


def lease(session: Session, *, now: datetime, limit: int = 50) -> Sequence[uuid.UUID]:
    """The mails that are due, reserved for the caller until `hold`. Each goes to one caller only.

    Somebody who waits to sign in comes before a thousand invitations.
    """
    due = (
        select(Mail.id)
        .where(
            Mail.state == State.WAITING,
            Mail.due_at <= now,
            or_(Mail.lease_until.is_(None), Mail.lease_until < now),
        )
        .order_by(case((Mail.kind == Kind.SIGN_IN, 0), else_=1), Mail.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = session.scalars(due).all()
    session.execute(
        update(Mail)
        .where(Mail.id.in_(ids))
        .values(lease_until=now + LEASE)
        .execution_options(synchronize_session=False)
    )
    return ids


def hold(session: Session, mail_id: uuid.UUID, *, leased_at: datetime, now: datetime) -> bool:
    """Begins the lease of a mail anew as it is being sent; False where it ran out and went elsewhere."""
    held = session.execute(
        update(Mail)
        .where(Mail.id == mail_id, Mail.state == State.WAITING, Mail.lease_until == leased_at + LEASE)
        .values(lease_until=now + LEASE)
        .execution_options(synchronize_session=False)
    )
    return bool(held.rowcount)  # type: ignore[attr-defined]


def keep(session: Session, mail_id: uuid.UUID, *, now: datetime) -> None:
    """Renews the lease of a mail that is still being sent: a server may take its time."""
    session.execute(
        update(Mail)
        .where(Mail.id == mail_id, Mail.lease_until > now)
        .values(lease_until=now + LEASE)
        .execution_options(synchronize_session=False)
    )


def settle_lost(session: Session, *, now: datetime) -> None:
    """Ends the reminders whose worker died over them, so that their rows are those of all others that are settled."""
    lost = (Mail.state == State.SETTLED, Mail.lease_until < now)
    session.execute(delete(Mailing).where(Mailing.mail_id.in_(select(Mail.id).where(*lost))))
    session.execute(
        update(Mail).where(*lost).values(lease_until=None, attempts=0).execution_options(synchronize_session=False)
    )


def compose(session: Session, mail_id: uuid.UUID, *, pace: Pace = CONSIDERATE, now: datetime) -> Letter | None:
    """The letter for a leased mail, or None when it is no longer wanted, or not now. A token is minted.

    A reminder counts as settled from here on: if the worker dies before it is out, rather none than two. Everything
    else is sent again then.
    """
    mail = session.get(Mail, mail_id)
    if mail is None or mail.state != State.WAITING:
        return None
    person = session.get(Person, mail.person_id)
    if person is None or not person.is_active:
        _settle(session, mail.id, State.SETTLED)
        return None
    if mail.attempts >= ATTEMPTS:
        # It has ended each of its workers: whatever it is, it does not end another one.
        _fail(session, mail)
        return None
    if mail.kind == DIGEST and _is_put_off(session, mail, time_zone_of(person, pace.home), pace, now):
        return None
    mail.attempts += 1
    letter = _COMPOSERS[mail.kind](session, mail, person, pace, now)
    if letter is None:
        # The same row is left as by a mail that went out.
        _settle(session, mail.id, State.SETTLED)
    elif letter.kind is Kind.REMINDER:
        mail.state = State.SETTLED
    return letter


def sent(session: Session, mail_id: uuid.UUID) -> None:
    """Settles a mail that the server has taken. Its address works, whatever was known of it."""
    reader = select(Mail.person_id).where(Mail.id == mail_id).scalar_subquery()
    session.execute(delete(RefusedAddress).where(RefusedAddress.person_id == reader))
    _settle(session, mail_id, State.SETTLED)


def refused(session: Session, mail_id: uuid.UUID) -> None:
    """Ends a mail that the server refuses for good, and marks the address; launchers of rounds see it."""
    mail = session.get(Mail, mail_id)
    if mail is not None:
        _fail(session, mail)


def delayed(session: Session, mail_id: uuid.UUID, *, now: datetime) -> None:
    """Puts a mail back that could not be delivered for now: later each time, up to a day, six times at most.

    Does nothing where the lease ran out meanwhile and another worker has settled the mail.
    """
    mail = session.get(Mail, mail_id)
    if mail is None or mail.lease_until is None:
        return
    if mail.attempts >= ATTEMPTS:
        _fail(session, mail)
        return
    # Jitter spreads the retries of many mails; it guards nothing.
    pause = PAUSES[max(mail.attempts, 1) - 1] * random.uniform(0.8, 1.2)  # noqa: S311
    mail.due_at, mail.lease_until, mail.state = now + pause, None, State.WAITING


def _fail(session: Session, mail: Mail) -> None:
    _settle(session, mail.id, State.FAILED)
    person = session.get_one(Person, mail.person_id)
    session.merge(RefusedAddress(person_id=person.id, address=person.address))


def _settle(session: Session, mail_id: uuid.UUID, state: State) -> None:
    session.execute(update(Mail).where(Mail.id == mail_id).values(state=state, lease_until=None, attempts=0))
    session.execute(delete(Mailing).where(Mailing.mail_id == mail_id))


def _is_put_off(session: Session, mail: Mail, zone: tzinfo, pace: Pace, now: datetime) -> bool:
    """Whether a mail that was held up by a busy or absent server has to wait for office hours, or another day."""
    today = mailings.local_day(now, zone).isoformat()
    if not pace.is_considerate or (mail.slot == today and mailings.is_office_hour(now, zone, pace.days_off)):
        return False
    ends = session.execute(
        select(Mailing.slot, Cycle.closes_at)
        .join(Cycle, Cycle.id == Mailing.cycle_id)
        .where(Mailing.mail_id == mail.id)
    ).all()
    moment = pace.may_go_at(
        now,
        zone,
        last_day=outbox.last_days(session, [mail.person_id], but=mail.id).get(mail.person_id),
        until=min((closes_at for slot, closes_at in ends if Slot(slot).is_invitation), default=None),
    )
    if moment > now:
        mail.due_at, mail.lease_until = moment, None
        return True
    mail.slot = today
    return False


def _sign_in(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    if mail.due_at < now - LINK_LIFE:
        return None
    token, token_hash = mint()
    session.add(SignInLink(hash=token_hash, person_id=person.id, expires_at=now + LINK_LIFE))
    return Letter(Kind.SIGN_IN, person.address, person.name, _message_id(mail), token=token)


def _digest(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    """All colleagues about whom this person is still asked, if one of the rounds that come up today is among them."""
    if session.scalar(select(RefusedAddress.address).where(RefusedAddress.person_id == person.id)) == person.address:
        return None
    rows = session.execute(
        select(
            Invitation.id,
            Invitation.relationship,
            Review.minutes,
            Cycle.id.label("cycle_id"),
            Cycle.name.label("cycle"),
            Cycle.closes_at,
            Cycle.minimum,
            Cycle.greeting,
            Person.name,
        )
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .join(Person, Person.id == Review.subject_id)
        .where(
            Invitation.rater_id == person.id,
            Invitation.state == invitations.State.OPEN,
            Cycle.phase == Phase.OPEN,
            Cycle.closes_at > now,
        )
        .order_by(Cycle.closes_at, Cycle.name, Cycle.id, Person.name)
    ).all()
    today = mailings.local_day(now, time_zone_of(person, pace.home))
    listed = {row.cycle_id for row in rows} - snoozed(session, person.id, today)
    due = session.execute(select(Mailing.cycle_id, Mailing.slot).where(Mailing.mail_id == mail.id)).all()
    wanted = [Slot(slot) for cycle_id, slot in due if cycle_id in listed]
    if not wanted:
        return None
    is_invitation = any(slot.is_invitation for slot in wanted)
    token, token_hash = mint()
    stop, stop_hash = (None, None) if is_invitation else mint()
    session.add_all(
        InvitationToken(hash=token_hash, invitation_id=row.id, stop_hash=stop_hash if row.cycle_id in listed else None)
        for row in rows
    )
    return Letter(
        Kind.INVITATION if is_invitation else Kind.REMINDER,
        person.address,
        person.name,
        _message_id(mail),
        token=token,
        stop=stop or "",
        parts=tuple(
            CyclePart(
                cycle_id,
                theirs[0].cycle,
                theirs[0].closes_at,
                theirs[0].minimum,
                tuple(
                    Colleague(row.name, Relationship(row.relationship), row.minutes[row.relationship]) for row in theirs
                ),
                theirs[0].greeting if is_invitation else "",
            )
            for cycle_id, theirs in ((cycle_id, list(group)) for cycle_id, group in groupby(rows, _cycle))
            if cycle_id in listed
        ),
    )


def _cycle(row: Any) -> uuid.UUID:
    cycle_id: uuid.UUID = row.cycle_id
    return cycle_id


def _report(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or review.cycle.phase != Phase.RELEASED or review.cycle.held_until is not None:
        return None
    kind = Kind.REPORT if session.get(Report, review.id) else Kind.NO_REPORT
    return Letter(kind, person.address, person.name, _message_id(mail), cycle=review.cycle.name, review_id=review.id)


def _team_reports(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    """To a manager: about whom they may read a report, and until when the others may not."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.RELEASED:
        return None
    names = _team(session, cycle, person)
    if not names:
        return None
    return Letter(
        Kind.TEAM_REPORTS,
        person.address,
        person.name,
        _message_id(mail),
        cycle=cycle.name,
        subjects=names,
        held_until=cycle.held_until,
    )


def _team(session: Session, cycle: Cycle, manager: Person, *further: ColumnElement[bool]) -> tuple[str, ...]:
    """Who reports to this manager and is under review in the cycle, by name."""
    names = (
        select(Person.name)
        .join(Review, Review.subject_id == Person.id)
        .where(Review.cycle_id == cycle.id, Person.manager_id == manager.id, *further)
        .order_by(Person.name)
    )
    return tuple(session.scalars(names))


def _check_in(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    """To the subject, on the day that they chose and have not changed since. Says nothing of what they planned."""
    plan, review = session.get(Plan, mail.reference), session.get(Review, mail.reference)
    if plan is None or review is None or str(plan.check_in_on) != mail.slot:
        return None
    return Letter(
        Kind.CHECK_IN, person.address, person.name, _message_id(mail), cycle=review.cycle.name, review_id=review.id
    )


def _passphrase(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    cycle, custody = session.get(Cycle, mail.reference), session.get(Custody, mail.reference)
    if cycle is None or cycle.phase != Phase.CLOSED or custody is None or custody.is_unlocked:
        return None
    return Letter(Kind.LOCKED, person.address, person.name, _message_id(mail), cycle=cycle.name, cycle_id=cycle.id)


def _objection(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
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


def _nomination(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
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


def _approval(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    """What waits for a manager: the first proposal, and in the end everything that nobody has approved."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.NOMINATING or cycle.opens_at is None:
        return None
    states = [Choice.PROPOSED] if mail.slot == "first" else [Choice.PROPOSED, Choice.OPEN]
    names = _team(session, cycle, person, Review.choice.in_(states))
    if not names:
        return None
    return Letter(
        Kind.APPROVAL,
        person.address,
        person.name,
        _message_id(mail),
        cycle=cycle.name,
        closes_at=nominations.approves_itself_at(cycle.opens_at),
        subjects=names,
    )


def _not_opened(session: Session, mail: Mail, person: Person, pace: Pace, now: datetime) -> Letter | None:
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase not in {Phase.DRAFT, Phase.NOMINATING}:
        return None
    return Letter(Kind.NOT_OPENED, person.address, person.name, _message_id(mail), cycle=cycle.name, cycle_id=cycle.id)


def _message_id(mail: Mail) -> str:
    """The same for every attempt, so that a mailbox recognises a mail that came twice."""
    return mail.id.hex


_COMPOSERS: dict[str, Callable[[Session, Mail, Person, Pace, datetime], Letter | None]] = {
    DIGEST: _digest,
    Kind.SIGN_IN: _sign_in,
    Kind.REPORT: _report,
    Kind.NOMINATION: _nomination,
    Kind.APPROVAL: _approval,
    Kind.NOT_OPENED: _not_opened,
    Kind.LOCKED: _passphrase,
    Kind.OBJECTION: _objection,
    Kind.TEAM_REPORTS: _team_reports,
    Kind.CHECK_IN: _check_in,
}
