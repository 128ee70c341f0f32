"""Mail on its way: leased, composed when it is still wanted, and marked when it is out.

No connection to the database is held while a mail is being sent: each function here is one short transaction of
its caller.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import bindparam, case, delete, or_, select, true, update
from sqlalchemy.orm import Session

from survey.core import days, mailings
from survey.core.letters import Kind, Letter
from survey.core.mailings import CONSIDERATE, Pace, Slot
from survey.store import letters, outbox
from survey.store.base import is_on_postgresql, run
from survey.store.cycles import Cycle
from survey.store.letters import Taken
from survey.store.mailings import Mailing, RefusedAddress, time_zone_of
from survey.store.outbox import DIGEST, Mail, State
from survey.store.people import Person

LEASE = timedelta(seconds=12)
"""How long a mail is reserved: one of a killed worker waits no longer than that, a living worker renews it."""

PAUSES = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
ATTEMPTS = len(PAUSES) + 1

_TAKE = (
    update(Mail)
    .where(Mail.id == bindparam("mail"), Mail.state == State.WAITING, Mail.lease_until == bindparam("leased"))
    .values(lease_until=bindparam("until"), attempts=Mail.attempts + 1)
    .returning(*(getattr(Mail, column) for column in Taken._fields))
)
_SETTLE = (
    update(Mail).where(Mail.id == bindparam("mail")).values(state=bindparam("becomes"), lease_until=None, attempts=0)
)
_NO_LONGER_DUE = delete(Mailing).where(Mailing.mail_id == bindparam("mail"))
_ADDRESS_WORKS = delete(RefusedAddress).where(
    RefusedAddress.person_id
    == select(Mail.person_id).where(Mail.id == bindparam("mail"), Mail.kind != Kind.ADDRESS_LEFT).scalar_subquery()
)
# In one statement what PostgreSQL can do in one; `sent` says what it is.
_SENT = _SETTLE.add_cte(_ADDRESS_WORKS.cte("works"), _NO_LONGER_DUE.cte("done"))


def lease(
    session: Session, *, now: datetime, limit: int = 50, only: Collection[str] | None = None
) -> Sequence[uuid.UUID]:
    """The mails that are due, reserved for the caller until `compose`. Each goes to one caller only.

    Somebody who waits to sign in comes before a thousand invitations. `only` are the kinds that may go now, None for
    all.
    """
    is_wanted = true() if only is None else Mail.kind.in_(only)
    due = (
        select(Mail.id)
        .where(
            is_wanted,
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


def compose(
    session: Session, mail_id: uuid.UUID, *, leased_at: datetime, pace: Pace = CONSIDERATE, now: datetime
) -> Letter | None:
    """The letter for a mail that was leased then, with its lease begun anew; None when it is no longer wanted, or not
    now, or the lease ran out and went elsewhere. A token is minted.

    A reminder counts as settled from here on: if the worker dies before it is out, rather none than two. Everything
    else is sent again then.
    """
    row = run(session, _TAKE, {"mail": mail_id, "leased": leased_at + LEASE, "until": now + LEASE}).one_or_none()
    if row is None:
        return None
    mail = Taken(*row)
    reader = letters.reader(session, mail.person_id, mail.kind)
    if reader is None:
        _settle(session, mail.id, State.SETTLED)
        return None
    if mail.attempts > ATTEMPTS:
        # It has ended each of its workers: whatever it is, it does not end another one.
        _fail(session, mail.id, mail.person_id)
        return None
    if mail.kind == DIGEST and _is_put_off(session, mail, time_zone_of(reader, pace.home), pace, now):
        return None
    letter = letters.write(session, mail, reader, pace, now)
    if letter is None:
        # The same row is left as by a mail that went out.
        _settle(session, mail.id, State.SETTLED)
    elif letter.kind is Kind.REMINDER:
        _change(session, mail.id, state=State.SETTLED)
    return letter


def sent(session: Session, mail_id: uuid.UUID) -> None:
    """Settles a mail that the server has taken. Its address works, whatever was known of it.

    On PostgreSQL it is one statement, and needs no transaction around it.
    """
    if is_on_postgresql(session):
        run(session, _SENT, {"mail": mail_id, "becomes": State.SETTLED})
        return
    run(session, _ADDRESS_WORKS, {"mail": mail_id})
    _settle(session, mail_id, State.SETTLED)


def refused(session: Session, mail_id: uuid.UUID) -> None:
    """Ends a mail that the server refuses for good, and marks the address; launchers of rounds see it.

    Does nothing where its lease is gone: it is another worker's by now, or the person has another address.
    """
    mail = session.get(Mail, mail_id)
    if mail is not None and mail.lease_until is not None:
        _fail(session, mail.id, mail.person_id)


def delayed(session: Session, mail_id: uuid.UUID, *, now: datetime) -> None:
    """Puts a mail back that could not be delivered for now: later each time, up to a day, six times at most.

    Does nothing where the lease ran out meanwhile and another worker has settled the mail.
    """
    mail = session.get(Mail, mail_id)
    if mail is None or mail.lease_until is None:
        return
    if mail.attempts >= ATTEMPTS:
        _fail(session, mail.id, mail.person_id)
        return
    # Jitter spreads the retries of many mails; it guards nothing.
    pause = PAUSES[max(mail.attempts, 1) - 1] * random.uniform(0.8, 1.2)  # noqa: S311
    mail.due_at, mail.lease_until, mail.state = now + pause, None, State.WAITING


def not_written(session: Session, mail_id: uuid.UUID, *, now: datetime) -> None:
    """Counts an attempt at a mail of which no letter came to be, and puts it back as `delayed` does."""
    run(session, update(Mail).where(Mail.id == mail_id).values(attempts=Mail.attempts + 1))
    delayed(session, mail_id, now=now)


def _fail(session: Session, mail_id: uuid.UUID, person_id: uuid.UUID) -> None:
    _settle(session, mail_id, State.FAILED)
    if session.get_one(Mail, mail_id).kind == Kind.ADDRESS_LEFT:
        # That went to the address from before, and says nothing about the one that the person has.
        return
    person = session.get_one(Person, person_id)
    session.merge(RefusedAddress(person_id=person.id, address=person.address))


def _settle(session: Session, mail_id: uuid.UUID, state: State) -> None:
    run(session, _SETTLE, {"mail": mail_id, "becomes": state})
    run(session, _NO_LONGER_DUE, {"mail": mail_id})


def _change(session: Session, mail_id: uuid.UUID, **values: Any) -> None:
    run(session, update(Mail).where(Mail.id == mail_id).values(values))


def _is_put_off(session: Session, mail: Taken, zone: tzinfo, pace: Pace, now: datetime) -> bool:
    """Whether a mail that was held up by a busy or absent server has to wait for office hours, or another day."""
    today = days.local_day(now, zone).isoformat()
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
        _change(session, mail.id, due_at=moment, lease_until=None, attempts=mail.attempts - 1)
        return True
    _change(session, mail.id, slot=today)
    return False
