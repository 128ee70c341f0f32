"""What a mail says when its time has come, from the rows as they are then; or that it is not wanted any more.

Statements that are run for each of thousands of mails are built once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, and_, bindparam, insert, or_, select
from sqlalchemy.orm import Session

from survey.core import days, nominations
from survey.core.cycles import Phase
from survey.core.letters import ABOUT_THE_ACCOUNT, Colleague, CyclePart, Kind, Letter
from survey.core.mailings import Pace, Slot
from survey.core.nominations import Choice
from survey.core.readers import Word
from survey.core.relationships import Relationship
from survey.store import asking
from survey.store.base import UtcDateTime, run
from survey.store.changes import AddressLink, Field, PersonChange, UnconfirmedAddress
from survey.store.clocks import LastLook
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, State, mint
from survey.store.mailings import Mailing, RefusedAddress, Snooze, time_zone_of
from survey.store.outbox import DIGEST
from survey.store.people import Person, SignInLink, by_name
from survey.store.plans import Plan
from survey.store.readers import ReportReader, stands
from survey.store.reports import Report

LINK_LIFE = timedelta(minutes=10)


class Taken(NamedTuple):
    """A mail that a worker has in hand; `attempts` counts this one."""

    id: uuid.UUID
    kind: str
    person_id: uuid.UUID
    reference: uuid.UUID
    slot: str
    due_at: datetime
    attempts: int


class Reader(NamedTuple):
    """To whom a mail goes; `refused` is the address at which a server has refused our mail."""

    id: uuid.UUID
    name: str
    address: str
    time_zone: str | None
    refused: str | None


# Locked, so that the address stays as it is until the secret that goes there is kept: who changes it takes away all.
_ANYBODY = (
    select(Person.id, Person.name, Person.address, Person.time_zone, RefusedAddress.address.label("refused"))
    .outerjoin(RefusedAddress, RefusedAddress.person_id == Person.id)
    .where(Person.id == bindparam("reader"), Person.is_erased.is_(False))
    .with_for_update(read=True, of=Person)
)
_READER = _ANYBODY.where(Person.is_active)
_ASKED = (
    select(
        Invitation.id,
        Invitation.relationship,
        Review.minutes,
        Cycle.id.label("cycle_id"),
        Cycle.name.label("cycle"),
        Cycle.closes_at,
        Cycle.time_zone,
        Cycle.minimum,
        Cycle.greeting,
        Person.name,
        Snooze.cycle_id.is_not(None).label("is_put_off"),
    )
    .join(Review, Review.id == Invitation.review_id)
    .join(Cycle, Cycle.id == Review.cycle_id)
    .join(Person, Person.id == Review.subject_id)
    .outerjoin(
        Snooze,
        and_(
            Snooze.person_id == Invitation.rater_id,
            Snooze.cycle_id == Cycle.id,
            or_(Snooze.until.is_(None), Snooze.until > bindparam("today", type_=Date)),
        ),
    )
    .where(
        Invitation.rater_id == bindparam("reader"),
        Invitation.state == State.OPEN,
        Cycle.phase == Phase.OPEN,
        Cycle.closes_at > bindparam("now", type_=UtcDateTime),
    )
    .order_by(Cycle.closes_at, Cycle.folded, Cycle.id, *by_name())
)
_DUE = select(Mailing.cycle_id, Mailing.slot).where(Mailing.mail_id == bindparam("mail"))


def reader(session: Session, person_id: uuid.UUID, kind: str) -> Reader | None:
    """Whom a mail to this person reaches; None where they are gone, or such mail is not for them any more."""
    wanted = _ANYBODY if kind in ABOUT_THE_ACCOUNT else _READER
    row = run(session, wanted, {"reader": person_id}).one_or_none()
    return None if row is None else Reader(*row)


def write(session: Session, mail: Taken, to: Reader, pace: Pace, now: datetime) -> Letter | None:
    """The letter for a mail, with the secrets of its links minted; None when it is no longer wanted."""
    return _WRITERS[mail.kind](session, mail, to, pace, now)


def _sign_in(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    if mail.due_at < now - LINK_LIFE:
        return None
    token, token_hash = mint()
    session.add(SignInLink(hash=token_hash, person_id=reader.id, expires_at=now + LINK_LIFE))
    return Letter(Kind.SIGN_IN, *_to(reader, mail), token=token)


def _digest(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """All colleagues about whom this person is still asked, if one of the rounds that come up today is among them."""
    if reader.refused == reader.address:
        return None
    theirs_zone = time_zone_of(reader, pace.home)
    today = days.local_day(now, theirs_zone)
    rows = run(session, _ASKED, {"reader": reader.id, "now": now, "today": today}).all()
    listed = {row.cycle_id for row in rows if not row.is_put_off}
    due = run(session, _DUE, {"mail": mail.id}).all()
    wanted = [Slot(slot) for cycle_id, slot in due if cycle_id in listed]
    if not wanted:
        return None
    is_invitation = any(slot.is_invitation for slot in wanted)
    token, token_hash = mint()
    stop, stop_hash = (None, None) if is_invitation else mint()
    run(
        session,
        insert(InvitationToken),
        [
            {"hash": token_hash, "invitation_id": row.id, "stop_hash": stop_hash if row.cycle_id in listed else None}
            for row in rows
        ],
    )
    return Letter(
        Kind.INVITATION if is_invitation else Kind.REMINDER,
        *_to(reader, mail),
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
                ZoneInfo(theirs[0].time_zone),
                theirs_zone,
            )
            for cycle_id, theirs in ((cycle_id, list(group)) for cycle_id, group in groupby(rows, _cycle))
            if cycle_id in listed
        ),
    )


def _cycle(row: Any) -> uuid.UUID:
    cycle_id: uuid.UUID = row.cycle_id
    return cycle_id


def _report(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or review.cycle.phase != Phase.RELEASED:
        return None
    if review.cycle.held_until is not None and not review.is_given:
        return None
    kind = Kind.REPORT if session.get(Report, review.id) else Kind.NO_REPORT
    return Letter(kind, *_to(reader, mail), cycle=review.cycle.name, review_id=review.id)


def _team_reports(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """To a manager: about whom they may read a report, and until when the others may not."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.RELEASED:
        return None
    names = _team(session, cycle, reader.id, stands(reader.id))
    if not names:
        return None
    return Letter(
        Kind.TEAM_REPORTS,
        *_to(reader, mail),
        cycle=cycle.name,
        subjects=names,
        held_until=cycle.held_until,
        zone=cycle.zone,
        theirs=time_zone_of(reader, pace.home),
    )


def _team(session: Session, cycle: Cycle, manager_id: uuid.UUID, *further: ColumnElement[bool]) -> tuple[str, ...]:
    """Who reports to this manager and is under review in the cycle, by name."""
    names = (
        select(Person.name)
        .join(Review, Review.subject_id == Person.id)
        .where(Review.cycle_id == cycle.id, Person.manager_id == manager_id, *further)
        .order_by(*by_name())
    )
    return tuple(session.scalars(names))


def _check_in(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """To the subject, on the day that they chose and have not changed since. Says nothing of what they planned."""
    plan, review = session.get(Plan, mail.reference), session.get(Review, mail.reference)
    if plan is None or review is None or str(plan.check_in_on) != mail.slot:
        return None
    return Letter(Kind.CHECK_IN, *_to(reader, mail), cycle=review.cycle.name, review_id=review.id)


def _passphrase(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    cycle, custody = session.get(Cycle, mail.reference), session.get(Custody, mail.reference)
    if cycle is None or cycle.phase != Phase.CLOSED or custody is None or custody.is_unlocked:
        return None
    return Letter(Kind.LOCKED, *_to(reader, mail), cycle=cycle.name, cycle_id=cycle.id)


def _objection(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or not review.is_objected or (review.is_tallied and review.published is None):
        return None
    return Letter(
        Kind.OBJECTION,
        *_to(reader, mail),
        cycle=review.cycle.name,
        cycle_id=review.cycle_id,
    )


def _nomination(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    review = session.get(Review, mail.reference)
    if review is None or review.cycle.phase != Phase.NOMINATING or review.choice != Choice.OPEN:
        return None
    assert review.cycle.opens_at is not None  # noqa: S101 - a cycle has a day of opening while raters are chosen
    return Letter(
        Kind.NOMINATION,
        *_to(reader, mail),
        cycle=review.cycle.name,
        closes_at=nominations.approves_itself_at(review.cycle.opens_at),
        zone=review.cycle.zone,
        theirs=time_zone_of(reader, pace.home),
        review_id=review.id,
    )


def _approval(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """What waits for a manager: the first proposal, and in the end everything that nobody has approved."""
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase != Phase.NOMINATING or cycle.opens_at is None:
        return None
    states = [Choice.PROPOSED] if mail.slot == "first" else [Choice.PROPOSED, Choice.OPEN]
    names = _team(session, cycle, reader.id, Review.choice.in_(states))
    if not names:
        return None
    return Letter(
        Kind.APPROVAL,
        *_to(reader, mail),
        cycle=cycle.name,
        closes_at=nominations.approves_itself_at(cycle.opens_at),
        zone=cycle.zone,
        theirs=time_zone_of(reader, pace.home),
        subjects=names,
    )


def _vouching(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """Whoever of another company awaits this reader's word, and about whom they would be asked."""
    review, person = session.get(Review, mail.reference), session.get(Person, reader.id)
    if review is None or person is None or review.cycle.phase not in nominations.VOUCHING:
        return None
    about = "you" if review.subject_id == reader.id else review.subject.name
    names = [f"{rater.name} ({rater.address}), about {about}" for _, rater in asking.awaiting(session, review, person)]
    if not names:
        return None
    return Letter(
        Kind.VOUCHING, *_to(reader, mail), cycle=review.cycle.name, review_id=review.id, subjects=tuple(names)
    )


def _not_opened(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.phase not in {Phase.DRAFT, Phase.NOMINATING}:
        return None
    return Letter(Kind.NOT_OPENED, *_to(reader, mail), cycle=cycle.name, cycle_id=cycle.id)


def _stuck(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or not cycle.is_given_up:
        return None
    return Letter(Kind.STUCK, *_to(reader, mail), cycle=cycle.name, cycle_id=cycle.id)


def _clock(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    if session.scalar(select(LastLook.name).where(LastLook.is_held).limit(1)) is None:
        return None
    return Letter(Kind.CLOCK, *_to(reader, mail))


def _changed(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """To whoever has another manager or address, at the address that they have now."""
    change = session.get(PersonChange, mail.reference)
    return None if change is None else _about(session, change, Letter(Kind.CHANGED, *_to(reader, mail)))


def _address_left(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """To the last address that was known to be theirs, with a link that confirms the new one where that is needed."""
    change = session.get(PersonChange, mail.reference)
    if change is None:
        return None
    waiting = session.get(UnconfirmedAddress, reader.id)
    old = waiting.proven if waiting else change.before
    if old == reader.address:
        return None
    token = ""
    if waiting is not None:
        token, token_hash = mint()
        session.add(AddressLink(hash=token_hash, person_id=reader.id))
    return _about(session, change, Letter(Kind.ADDRESS_LEFT, old, reader.name, mail.id.hex, token=token))


def _about(session: Session, change: PersonChange, letter: Letter) -> Letter:
    """The letter with a change in words: managers by name, and by whom it was made."""
    before, after = change.before, change.after
    if change.field == Field.MANAGER:
        before, after = (_name(session, uuid.UUID(one) if one else None) for one in (before, after))
    actor = _name(session, change.actor_id)
    return replace(letter, changed=change.field, before=before, after=after, actor=actor)


def _name(session: Session, person_id: uuid.UUID | None) -> str:
    person = session.get(Person, person_id) if person_id else None
    return person.name if person else ""


def _reader_asks(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    """To the subject: who asks to read their report. The slot of the mail says who."""
    review, asks = session.get(Review, mail.reference), uuid.UUID(mail.slot)
    row = session.get(ReportReader, (mail.reference, asks))
    if review is None or row is None or row.word != Word.ASKED:
        return None
    return Letter(
        Kind.READER_ASKS,
        *_to(reader, mail),
        cycle=review.cycle.name,
        review_id=review.id,
        actor=_name(session, asks),
    )


def _key_missing(session: Session, mail: Taken, reader: Reader, pace: Pace, now: datetime) -> Letter | None:
    cycle = session.get(Cycle, mail.reference)
    if cycle is None or cycle.key_missed_at is None or cycle.is_key_lost:
        return None
    return Letter(Kind.KEY_MISSING, *_to(reader, mail), cycle=cycle.name, cycle_id=cycle.id)


def _to(reader: Reader, mail: Taken) -> tuple[str, str, str]:
    """Address, name, and an id that is the same for every attempt: a mailbox recognises a mail that came twice."""
    return reader.address, reader.name, mail.id.hex


_WRITERS: dict[str, Callable[[Session, Taken, Reader, Pace, datetime], Letter | None]] = {
    DIGEST: _digest,
    Kind.SIGN_IN: _sign_in,
    Kind.REPORT: _report,
    Kind.NOMINATION: _nomination,
    Kind.APPROVAL: _approval,
    Kind.VOUCHING: _vouching,
    Kind.NOT_OPENED: _not_opened,
    Kind.STUCK: _stuck,
    Kind.CLOCK: _clock,
    Kind.LOCKED: _passphrase,
    Kind.KEY_MISSING: _key_missing,
    Kind.OBJECTION: _objection,
    Kind.TEAM_REPORTS: _team_reports,
    Kind.CHECK_IN: _check_in,
    Kind.CHANGED: _changed,
    Kind.ADDRESS_LEFT: _address_left,
    Kind.READER_ASKS: _reader_asks,
}
