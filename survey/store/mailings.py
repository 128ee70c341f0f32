"""Who is to be told of which round, and when: the plan, and what raters and mail servers said about it.

The plan is the same whether or not somebody answers. A mailing is taken away when its day has come, also where there
was nothing left to ask for; so no row tells when a rater was finished.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import date, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, and_, delete, func, insert, literal, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core.mailings import Pace, Planned, Slot
from survey.store.base import UNORDERED, Base, UtcDateTime, is_on_postgresql
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, State
from survey.store.people import Person

PORTION = 500

ONE_GATHERS = 4_360_008  # any number that nothing else locks

_IS_TO_COME, _IS_CARRIED = text("mail_id IS NULL"), text("mail_id IS NOT NULL")


class Mailing(Base):
    """A round that a person is to be told of, not before `due_at`; `mail_id` is the mail that carries it."""

    __tablename__ = "mailing"
    __table_args__ = (
        # Each row is in one of these two: what is to come up, and what a mail carries.
        Index("ix_mailing_due_at", "due_at", postgresql_where=_IS_TO_COME, sqlite_where=_IS_TO_COME),
        Index("ix_mailing_mail_id", "mail_id", postgresql_where=_IS_CARRIED, sqlite_where=_IS_CARRIED),
        Index("ix_mailing_cycle_id", "cycle_id"),
        UNORDERED,
    )

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    mail_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"))


class Snooze(Base):
    """A rater's wish: no mail about this round before the day `until`, or none at all. Never when it was made."""

    __tablename__ = "snooze"
    __table_args__ = (Index("ix_snooze_cycle_id", "cycle_id"), UNORDERED)

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    cycle_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cycle.id", ondelete="CASCADE"), primary_key=True)
    until: Mapped[date | None]


class RefusedAddress(Base):
    """An address that a mail server refused for good, or too often. Holds while the person has this address."""

    __tablename__ = "refused_address"
    __table_args__ = (UNORDERED,)

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str]


class SomewhereElse(Protocol):
    """Who may have a time zone of their own."""

    @property
    def time_zone(self) -> str | None:
        """An IANA name, or None."""


def time_zone_of(person: SomewhereElse, home: tzinfo) -> tzinfo:
    """The zone in which a person's office hours are counted: their own, or that of the installation."""
    return ZoneInfo(person.time_zone) if person.time_zone else home


def snoozed(session: Session, person_id: uuid.UUID, today: date) -> set[uuid.UUID]:
    """The cycles of which this person wants no mail today."""
    is_on = or_(Snooze.until.is_(None), Snooze.until > today)
    return set(session.scalars(select(Snooze.cycle_id).where(Snooze.person_id == person_id, is_on)))


def plan(
    session: Session,
    cycle_id: uuid.UUID,
    rater_ids: Iterable[uuid.UUID],
    *,
    opens_at: datetime,
    closes_at: datetime,
    pace: Pace,
    reminders: Collection[str] | None = None,
) -> None:
    """Writes the mailings of a round for these raters, who are asked from `opens_at` on.

    `reminders` are the slots that the launcher left on, None for all.
    """
    of = _zone_of(session, cycle_id)
    rows = [
        {"person_id": person_id, "cycle_id": cycle_id, "slot": planned.slot, "due_at": planned.due_at}
        for zone, person_ids in _by_zone(session, list(dict.fromkeys(rater_ids)), pace).items()
        for planned in _planned(opens_at, closes_at, zone, pace, reminders, of=of)
        for person_id in person_ids
    ]
    if rows:
        session.execute(insert(Mailing), rows)


def plan_round(
    session: Session,
    cycle_id: uuid.UUID,
    *,
    opens_at: datetime,
    closes_at: datetime,
    pace: Pace,
    reminders: Collection[str] | None,
) -> None:
    """Writes the mailings of a round for everybody who is asked in it, as `plan` does, in a statement for each zone
    and slot: however many people are asked, none of them is read.
    """
    is_asked = and_(Review.cycle_id == cycle_id, Invitation.state == State.OPEN)
    asked = (
        select(Invitation.rater_id)
        .join(Review, Review.id == Invitation.review_id)
        .join(Person, Person.id == Invitation.rater_id)
        .where(is_asked)
        .distinct()
    )
    zones, of = session.scalars(asked.with_only_columns(Person.time_zone)).all(), _zone_of(session, cycle_id)
    for name in zones:
        theirs = asked.where(Person.time_zone.is_(None) if name is None else Person.time_zone == name)
        zone = ZoneInfo(name) if name else pace.home
        for planned in _planned(opens_at, closes_at, zone, pace, reminders, of=of):
            values = literal(cycle_id), literal(planned.slot), literal(planned.due_at, UtcDateTime())
            columns = [Mailing.person_id, Mailing.cycle_id, Mailing.slot, Mailing.due_at]
            session.execute(insert(Mailing).from_select(columns, theirs.add_columns(*values)))


def join(
    session: Session,
    cycle_id: uuid.UUID,
    rater_id: uuid.UUID,
    *,
    closes_at: datetime,
    pace: Pace,
    reminders: Collection[str] | None,
    now: datetime,
) -> None:
    """Writes what a rater is mailed who is asked after the round has opened; who has a plan is told once more."""
    if session.scalar(select(Mailing.slot).where(Mailing.cycle_id == cycle_id, Mailing.person_id == rater_id).limit(1)):
        session.merge(Mailing(person_id=rater_id, cycle_id=cycle_id, slot=Slot.AGAIN, due_at=now, mail_id=None))
        return
    plan(session, cycle_id, [rater_id], opens_at=now, closes_at=closes_at, pace=pace, reminders=reminders)


def replan(
    session: Session,
    cycle_id: uuid.UUID,
    *,
    opens_at: datetime,
    closes_at: datetime,
    pace: Pace,
    reminders: Collection[str] | None = None,
) -> None:
    """Moves the reminders that have not come up yet to where an end at `closes_at` puts them, or takes them away."""
    _keep_from_gathering(session)
    waiting = (Mailing.cycle_id == cycle_id, Mailing.mail_id.is_(None), Mailing.slot != Slot.OPENING)
    person_ids = session.scalars(select(Mailing.person_id).where(*waiting).distinct()).all()
    for zone, theirs in _by_zone(session, list(person_ids), pace).items():
        due = {
            each.slot: each.due_at
            for each in pace.plan(opens_at, closes_at, zone)
            if not each.slot.is_invitation and (reminders is None or each.slot in reminders)
        }
        for start in range(0, len(theirs), PORTION):
            of_them = (*waiting, Mailing.person_id.in_(theirs[start : start + PORTION]))
            for slot, due_at in due.items():
                session.execute(update(Mailing).where(*of_them, Mailing.slot == slot).values(due_at=due_at))
            session.execute(delete(Mailing).where(*of_them, Mailing.slot.not_in([*due, Slot.ASKED_FOR, Slot.AGAIN])))
    session.execute(delete(Mailing).where(*waiting, Mailing.due_at >= closes_at))
    # Who wished for a day that lies behind the end now gets the reminders that are left.
    session.execute(delete(Snooze).where(Snooze.cycle_id == cycle_id, Snooze.until >= closes_at.date()))


def replace_pending(session: Session, person_id: uuid.UUID, cycle_id: uuid.UUID, plans: Iterable[Planned]) -> None:
    """Exactly these reminders of a round for one person, in place of those that have not come up yet."""
    session.execute(
        delete(Mailing).where(
            Mailing.person_id == person_id,
            Mailing.cycle_id == cycle_id,
            Mailing.mail_id.is_(None),
            Mailing.slot.not_in([slot for slot in Slot if slot.is_invitation]),
        )
    )
    session.flush()
    for each in plans:
        session.merge(Mailing(person_id=person_id, cycle_id=cycle_id, slot=each.slot, due_at=each.due_at, mail_id=None))


def may_gather(session: Session) -> bool:
    """Whether this transaction may bind mailings to mails: one at a time does, and none while plans are changed."""
    if not is_on_postgresql(session):
        return True  # SQLite's writers take turns anyway.
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(ONE_GATHERS))))


def _keep_from_gathering(session: Session) -> None:
    """Until this transaction ends nobody gathers: two that lock many rows in two orders wait for each other."""
    if is_on_postgresql(session):
        session.execute(select(func.pg_advisory_xact_lock(ONE_GATHERS)))


def forget(session: Session, cycle_id: uuid.UUID) -> None:
    """Takes away whatever was planned or wished for a round that has ended."""
    _keep_from_gathering(session)
    for row in (Mailing, Snooze):
        session.execute(delete(row).where(row.cycle_id == cycle_id))


def _zone_of(session: Session, cycle_id: uuid.UUID) -> tzinfo:
    """The zone whose days this round has."""
    return session.get_one(Cycle, cycle_id).zone


def _planned(
    opens_at: datetime,
    closes_at: datetime,
    zone: tzinfo,
    pace: Pace,
    reminders: Collection[str] | None,
    *,
    of: tzinfo,
) -> list[Planned]:
    plans = pace.plan(opens_at, closes_at, zone, of=of)
    return [each for each in plans if each.slot.is_invitation or reminders is None or each.slot in reminders]


def _by_zone(session: Session, person_ids: list[uuid.UUID], pace: Pace) -> dict[tzinfo, list[uuid.UUID]]:
    found: dict[tzinfo, list[uuid.UUID]] = {}
    for start in range(0, len(person_ids), PORTION):
        portion = person_ids[start : start + PORTION]
        for person in session.scalars(select(Person).where(Person.id.in_(portion))):
            found.setdefault(time_zone_of(person, pace.home), []).append(person.id)
    return found
