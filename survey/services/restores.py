"""After a backup was loaded: what must not happen twice is taken away, and what is lost is named."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Set
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from survey.core import days, names
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.mailings import Pace, Slot
from survey.store import audit, openings, outbox
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation
from survey.store.keys import Keyring
from survey.store.mailings import Mailing, time_zone_of
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person

INSTALLATION = uuid.UUID(int=0)
"""What an entry of the audit log is about when it is about everything."""


@dataclass(frozen=True)
class Settled:
    """What was done to a restored database, and what its operator must know.

    The names are those of rounds. `without_links` are open ones whose raters have no link any more, and whose plan has
    no further mail that would bring one.
    """

    mails_dropped: int
    openings_stopped: tuple[str, ...]
    given_to_engineers: tuple[str, ...]
    about_to_close: tuple[str, ...]
    are_open: bool
    without_links: tuple[str, ...]


def settle(session: Session, *, made_at: datetime, pace: Pace, new_links: bool = False, now: datetime) -> Settled:
    """Keeps a restored database from doing again what was done since its backup was made.

    Mail that was due by now is dropped, and so is what was planned to be due: it may have gone out. Rounds that were to
    open by now, or were just being opened, wait for somebody to open them: they may have been open, and their raters
    have a mail. Reports that were to reach their subjects by now reach them without a mail. With `new_links` everybody
    who is asked in an open round is mailed once more, as soon as their day allows.
    """
    dropped = _drop_mail(session, pace, now)
    given = session.scalars(select(Cycle.name).where(Cycle.held_until <= now).order_by(Cycle.folded)).all()
    session.execute(
        update(Cycle)
        .where(Cycle.held_until <= now)
        .values(held_until=None)
        .execution_options(synchronize_session=False)
    )
    missed = (
        Cycle.phase.in_((Phase.DRAFT, Phase.NOMINATING)),
        Cycle.opens_at <= now,
        Cycle.is_scheduled,
    )
    stopped = session.scalars(select(Cycle.name).where(*missed).order_by(Cycle.folded)).all()
    session.execute(
        update(Cycle).where(*missed).values(is_scheduled=False).execution_options(synchronize_session=False)
    )
    opening = session.scalars(select(Cycle).where(Cycle.phase == Phase.OPENING)).all()
    for cycle in opening:
        openings.take_back(session, cycle)
    stopped = sorted([*stopped, *(cycle.name for cycle in opening)], key=names.in_order)
    is_open = Cycle.phase == Phase.OPEN
    if new_links:
        _plan_new_links(session, now)
    mute = session.scalars(
        select(Cycle.name)
        .where(is_open, Cycle.closes_at > now, Cycle.id.not_in(select(Mailing.cycle_id)))
        .order_by(Cycle.folded)
    ).all()
    closing = session.scalars(select(Cycle.name).where(is_open, Cycle.closes_at <= now).order_by(Cycle.folded)).all()
    session.flush()
    audit.record(
        session,
        Event.RESTORED,
        actor_id=None,
        about=INSTALLATION,
        now=now,
        detail={"made_at": made_at.isoformat(), "mails_dropped": str(dropped)},
    )
    are_open = session.scalar(select(Cycle.id).where(is_open, Cycle.closes_at > now).limit(1)) is not None
    return Settled(dropped, tuple(stopped), tuple(given), tuple(closing), are_open, tuple(mute))


def _drop_mail(session: Session, pace: Pace, now: datetime) -> int:
    """Drops what may have gone out; the value is how many mails that may have been.

    For whoever may have had mail about reviews today, today counts as used up.
    """
    due = (Mail.state == State.WAITING, Mail.due_at <= now)
    other = session.scalar(select(func.count()).select_from(Mail).where(*due, Mail.kind != DIGEST)) or 0
    session.execute(delete(Mail).where(*due, Mail.kind != DIGEST))
    bound = select(Mail.id).where(*due)
    passed = or_(Mailing.mail_id.in_(bound), and_(Mailing.mail_id.is_(None), Mailing.due_at <= now))
    mailed = session.scalars(select(Person).where(Person.id.in_(select(Mailing.person_id).where(passed)))).all()
    session.execute(delete(Mailing).where(passed))
    session.execute(
        update(Mail)
        .where(*due)
        .values(state=State.SETTLED, lease_until=None, attempts=0)
        .execution_options(synchronize_session=False)
    )
    if pace.is_considerate:
        last = outbox.last_days(session, [person.id for person in mailed])
        for person in mailed:
            today = days.local_day(now, time_zone_of(person, pace.home))
            if last.get(person.id, date.min) < today:
                session.add(
                    Mail(
                        kind=DIGEST,
                        person_id=person.id,
                        reference=person.id,
                        slot=today.isoformat(),
                        due_at=now,
                        state=State.SETTLED,
                    )
                )
    return other + len(mailed)


def _plan_new_links(session: Session, now: datetime) -> None:
    """One more mailing for everybody who is asked, whether or not they have answered: who has, gets no mail of it."""
    asked = session.execute(
        select(Invitation.rater_id, Review.cycle_id)
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(Cycle.phase == Phase.OPEN, Cycle.closes_at > now)
        .distinct()
    ).all()
    for person_id, cycle_id in asked:
        session.merge(Mailing(person_id=person_id, cycle_id=cycle_id, slot=Slot.AGAIN, due_at=now, mail_id=None))
    session.flush()


def counted(session: Session) -> set[uuid.UUID]:
    """The cycles whose key was destroyed."""
    return set(session.scalars(select(Cycle.id).where(Cycle.is_key_destroyed)))


def need_keys(session: Session, *, but: Set[uuid.UUID]) -> set[uuid.UUID]:
    """The cycles that may have a key: their answers are not counted, here or among those named."""
    ids = session.scalars(
        select(Cycle.id)
        .outerjoin(Custody, Custody.cycle_id == Cycle.id)
        .where(Cycle.is_key_destroyed.is_(False), (Cycle.public_key.is_not(None)) | Custody.cycle_id.is_not(None))
    )
    return set(ids) - but


def without_keys(session: Session, keyring: Keyring, *, among: Collection[uuid.UUID]) -> list[str]:
    """The names of cycles that wait for their count and have no key: their answers can never be read."""
    rows = session.execute(
        select(Cycle.id, Cycle.name)
        .where(Cycle.id.in_(among), Cycle.phase.in_((Phase.OPEN, Phase.CLOSED)))
        .order_by(Cycle.folded)
    )
    return [name for cycle_id, name in rows if not keyring.is_kept(cycle_id)]
