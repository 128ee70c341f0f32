"""Mailings come up: gathered into one mail per person and working day, put off by raters, repeated or brought forward
by launchers.

What is gathered does not depend on who has answered. Whether anything is left to say is looked at when the mail is
composed (services/outbox.py).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from survey.core import days, mailings
from survey.core.audit import Event
from survey.core.cycles import Phase, require
from survey.core.errors import CLOSED, BadInput, IllegalStep, LinkClosed, NotFound
from survey.core.mailings import CONSIDERATE, Brought, Pace, Planned, Slot
from survey.store import audit, invitations, outbox
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken, fingerprint
from survey.store.mailings import Mailing, RefusedAddress, Snooze, may_gather, replace_pending, snoozed, time_zone_of
from survey.store.nominations import Nomination
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person

KEPT = timedelta(days=2)
"""How long a mail that was sent or not wanted keeps its row: until its day is over everywhere."""


@dataclass(frozen=True)
class Reminding:
    """What a rater may choose for the reminders of a round, and what they have chosen."""

    days: tuple[date, ...]
    is_snoozed: bool
    until: date | None


def gather(session: Session, *, pace: Pace, now: datetime, limit: int = 500) -> int:
    """Writes one mail for each person whose mailings are due and who may get it now; the value is how many.

    It takes along what would come up later on the same day. Where the person's day has had its mail, or it is night
    there, the mailings are put off.
    """
    _delete_settled(session, now)
    if not may_gather(session):
        return 0
    due = session.execute(
        select(Mailing.person_id, Mailing.slot, Cycle.closes_at)
        .join(Cycle, Cycle.id == Mailing.cycle_id)
        .where(Mailing.due_at <= now, Mailing.mail_id.is_(None))
        .order_by(Mailing.due_at)
        .limit(limit)
    ).all()
    if not due:
        return 0
    wishes: dict[uuid.UUID, list[tuple[Slot, datetime]]] = {}
    for person_id, slot, closes_at in due:
        wishes.setdefault(person_id, []).append((Slot(slot), closes_at))
    waiting, last_days = _mails_of(session, wishes, now)
    made = 0
    for person in session.scalars(select(Person).where(Person.id.in_(wishes))).all():
        zone = time_zone_of(person, pace.home)
        if person.id in waiting:
            mail_id = waiting[person.id]
        else:
            moment = min(
                pace.may_go_at(
                    now, zone, last_day=last_days.get(person.id), until=closes_at if slot.is_invitation else None
                )
                for slot, closes_at in wishes[person.id]
            )
            if moment > now:
                _put_off(session, person.id, now, moment)
                continue
            mail_id = _new_digest(session, person.id, pace, now, days.local_day(now, zone))
            made += 1
        end = days.end_of(days.local_day(now, zone), zone)
        session.execute(update(Mailing).where(*_unbound(person.id), Mailing.due_at < end).values(mail_id=mail_id))
    return made


def reminding(session: Session, token: str, *, pace: Pace, now: datetime) -> Mapping[uuid.UUID, Reminding]:
    """By cycle, what the rater of this link may choose and has chosen. Empty for a link that opens nothing."""
    found = {}
    opened = _opened_by(session, InvitationToken.hash == fingerprint(token))
    of_them = tuple_(Snooze.person_id, Snooze.cycle_id).in_([each[:2] for each in opened])
    wishes = {(wish.person_id, wish.cycle_id): wish for wish in session.scalars(select(Snooze).where(of_them))}
    for person_id, cycle_id, closes_at in opened:
        person = session.get_one(Person, person_id)
        wish = wishes.get((person_id, cycle_id))
        zone = time_zone_of(person, pace.home)
        is_snoozed = wish is not None and (wish.until is None or wish.until > days.local_day(now, zone))
        found[cycle_id] = Reminding(
            mailings.days_to_choose(now, closes_at, zone, pace.days_off),
            is_snoozed,
            wish.until if wish and is_snoozed else None,
        )
    return found


def snooze(
    session: Session, token: str, cycle_id: uuid.UUID, day: date | None, *, pace: Pace = CONSIDERATE, now: datetime
) -> None:
    """No mail about this round before that day, on which there is one; without a day, no mail at all.

    Raises `LinkClosed` for a link that does not open the round, and `BadInput` for a day that cannot be chosen.
    """
    person, closes_at = _rater(session, token, cycle_id)
    if day is not None:
        zone = time_zone_of(person, pace.home)
        if day not in mailings.days_to_choose(now, closes_at, zone, pace.days_off):
            raise BadInput("On this day we cannot remind you. Please choose one of the days in the list.")
        rows = session.execute(
            select(Mailing.slot, Mailing.due_at).where(*_unbound(person.id), Mailing.cycle_id == cycle_id)
        )
        pending = [Planned(Slot(slot), due_at) for slot, due_at in rows if not Slot(slot).is_invitation]
        replace_pending(session, person.id, cycle_id, mailings.snoozed(pending, day, zone))
    session.merge(Snooze(person_id=person.id, cycle_id=cycle_id, until=day))


def wake(session: Session, token: str, cycle_id: uuid.UUID) -> None:
    """Takes back what the rater said about reminders of this round: those to come, come. Raises `LinkClosed`."""
    person, _ = _rater(session, token, cycle_id)
    session.execute(delete(Snooze).where(Snooze.person_id == person.id, Snooze.cycle_id == cycle_id))


def stop(session: Session, token: str) -> None:
    """No more reminders of the rounds that a mail with this secret listed. Does nothing, silently, for any other."""
    for person_id, cycle_id, _ in _opened_by(session, InvitationToken.stop_hash == fingerprint(token)):
        session.merge(Snooze(person_id=person_id, cycle_id=cycle_id, until=None))


def send_again(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> int:
    """Has everybody mailed again whose address refused our mail; the value is how many people that are.

    Raises `NotFound` for a cycle that is not open.
    """
    if session.scalar(select(Cycle.id).where(Cycle.id == cycle_id, Cycle.phase == Phase.OPEN)) is None:
        raise NotFound("There is no such round, or nobody is asked in it any more.")
    asked = select(Invitation.rater_id).join(Review, Review.id == Invitation.review_id)
    person_ids = session.scalars(
        select(RefusedAddress.person_id).where(RefusedAddress.person_id.in_(asked.where(Review.cycle_id == cycle_id)))
    ).all()
    session.execute(delete(RefusedAddress).where(RefusedAddress.person_id.in_(person_ids)))
    for person_id in person_ids:
        session.merge(Mailing(person_id=person_id, cycle_id=cycle_id, slot=Slot.AGAIN, due_at=now, mail_id=None))
    return len(person_ids)


def remind(session: Session, review_id: uuid.UUID, *, pace: Pace, actor_id: uuid.UUID, now: datetime) -> Brought:
    """Brings the next reminder of everybody who is asked in a review forward to now, once a day.

    It is done alike for those who have answered and those who have not; only whoever has put reminders off, or has had
    today's mail, is left alone. Raises `NotFound`, and `IllegalStep` unless the round is open and has reminders.
    """
    review = session.scalar(select(Review).where(Review.id == review_id).with_for_update(of=Review))
    if review is None:
        raise NotFound("There is no such review.")
    require(Phase(review.cycle.phase), Phase.OPEN)
    if review.cycle.reminders == []:
        raise IllegalStep("This round was set up without reminders.")
    today = days.start_of(days.local_day(now, pace.home), pace.home)
    if audit.is_recorded(session, Event.RATERS_REMINDED, about=review_id, since=today):
        subject = review.subject.name
        return Brought(
            why_not=f"The next reminder about {subject} was brought forward today already. Nothing more is sent."
        )
    brought = _bring_forward(session, review, pace, now)
    if brought.is_done:
        audit.record(session, Event.RATERS_REMINDED, actor_id=actor_id, about=review_id, now=now)
    return brought


def _bring_forward(session: Session, review: Review, pace: Pace, now: datetime) -> Brought:
    raters = session.scalars(
        select(Person).join(Nomination, Nomination.rater_id == Person.id).where(Nomination.review_id == review.id)
    ).all()
    of_them = (Mailing.cycle_id == review.cycle_id, Mailing.person_id.in_([rater.id for rater in raters]))
    pending: dict[uuid.UUID, list[Planned]] = {}
    for person_id, slot, due_at in session.execute(
        select(Mailing.person_id, Mailing.slot, Mailing.due_at).where(*of_them, Mailing.mail_id.is_(None))
    ):
        pending.setdefault(person_id, []).append(Planned(Slot(slot), due_at))
    last_days = outbox.last_days(session, pending)
    goes_at = []
    for rater in raters:
        zone = time_zone_of(rater, pace.home)
        today = days.local_day(now, zone)
        following = mailings.next_reminder(pending.get(rater.id, []))
        has_had_mail = last_days.get(rater.id, date.min) >= today
        if following is None or has_had_mail or review.cycle_id in snoozed(session, rater.id, today):
            continue
        if following.due_at > now:
            due = (*_unbound(rater.id), Mailing.cycle_id == review.cycle_id, Mailing.slot == following.slot)
            session.execute(update(Mailing).where(*due).values(due_at=now))
        goes_at.append(pace.may_go_at(now, zone, last_day=last_days.get(rater.id)))
    if goes_at:
        return Brought(tuple(goes_at))
    slots = {each.slot for theirs in pending.values() for each in theirs}
    if any(slot.is_invitation for slot in slots):
        return Brought(why_not=mailings.NOT_INVITED)
    return Brought(why_not=mailings.NOT_TODAY if slots else mailings.ALL_GONE)


def _delete_settled(session: Session, now: datetime) -> None:
    # By name, not as "all but waiting": so the index leads to them.
    is_settled = Mail.state.in_([State.SETTLED, State.FAILED])
    session.execute(delete(Mail).where(is_settled, Mail.due_at < now - KEPT))


def _mails_of(
    session: Session, person_ids: Iterable[uuid.UUID], now: datetime
) -> tuple[dict[uuid.UUID, uuid.UUID], dict[uuid.UUID, date]]:
    """By person, a mail about waiting reviews that nobody has begun to send, or else the day of the last one.

    What is leased right now may have been composed already: it takes nothing along any more.
    """
    of_them = (Mail.kind == DIGEST, Mail.person_id.in_(list(person_ids)))
    is_untouched = (Mail.state == State.WAITING, or_(Mail.lease_until.is_(None), Mail.lease_until < now))
    untouched = select(Mail.person_id, Mail.id).where(*of_them, *is_untouched).with_for_update(skip_locked=True)
    return dict(session.execute(untouched).all()), outbox.last_days(session, person_ids)


def _put_off(session: Session, person_id: uuid.UUID, now: datetime, moment: datetime) -> None:
    session.execute(update(Mailing).where(*_unbound(person_id), Mailing.due_at <= now).values(due_at=moment))


def _new_digest(session: Session, person_id: uuid.UUID, pace: Pace, now: datetime, day: date) -> uuid.UUID:
    mail_id = uuid.uuid4()
    slot = day.isoformat() if pace.is_considerate else mail_id.hex
    session.execute(
        insert(Mail),
        {"id": mail_id, "kind": DIGEST, "person_id": person_id, "reference": person_id, "slot": slot, "due_at": now},
    )
    return mail_id


def _unbound(person_id: uuid.UUID):  # type: ignore[no-untyped-def]  # two conditions, of use in here alone
    return Mailing.person_id == person_id, Mailing.mail_id.is_(None)


def _rater(session: Session, token: str, cycle_id: uuid.UUID) -> tuple[Person, datetime]:
    for person_id, opened, closes_at in _opened_by(session, InvitationToken.hash == fingerprint(token)):
        if opened == cycle_id:
            return session.get_one(Person, person_id), closes_at
    raise LinkClosed(CLOSED)


def _opened_by(session: Session, condition) -> Sequence[tuple[uuid.UUID, uuid.UUID, datetime]]:  # type: ignore[no-untyped-def]
    rows = session.execute(
        select(Invitation.rater_id, Cycle.id, Cycle.closes_at)
        .join(InvitationToken, InvitationToken.invitation_id == Invitation.id)
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(condition, Invitation.state == invitations.State.OPEN, Cycle.phase == Phase.OPEN)
        .distinct()
    )
    return [(person_id, cycle_id, closes_at) for person_id, cycle_id, closes_at in rows]
