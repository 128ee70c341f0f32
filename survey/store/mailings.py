"""Who is to be told of which round, and when: the plan, and what raters and mail servers said about it.

The plan is the same whether or not somebody answers. A mailing is taken away when its day has come, also where there
was nothing left to ask for; so no row tells when a rater was finished.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Index, and_, delete, func, insert, literal, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core import days, mailings
from survey.core.cycles import Phase
from survey.core.mailings import Pace, Planned, Slot
from survey.store.base import UNORDERED, Base, UtcDateTime, is_on_postgresql
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, State
from survey.store.nominations import Nomination
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


def tell_again(session: Session, person_ids: Collection[uuid.UUID], *, now: datetime) -> None:
    """Has these people mailed once more about every open round in which they are asked, answered or not."""
    _keep_from_gathering(session)
    asked = (
        select(Invitation.rater_id, Review.cycle_id)
        .join(Review, Review.id == Invitation.review_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(Invitation.rater_id.in_(person_ids), Cycle.phase == Phase.OPEN)
        .distinct()
    )
    is_again = (Mailing.person_id.in_(person_ids), Mailing.slot == Slot.AGAIN)
    session.execute(delete(Mailing).where(*is_again).execution_options(synchronize_session="fetch"))
    values = literal(Slot.AGAIN.value), literal(now, UtcDateTime())
    columns = [Mailing.person_id, Mailing.cycle_id, Mailing.slot, Mailing.due_at]
    session.execute(insert(Mailing).from_select(columns, asked.add_columns(*values)))


@dataclass(frozen=True)
class Moved:
    """An end that was moved: from when to when, each in the zone whose days were meant."""

    before: datetime
    zone_before: tzinfo
    after: datetime
    zone: tzinfo


def replan(
    session: Session,
    cycle_id: uuid.UUID,
    moved: Moved,
    *,
    opens_at: datetime,
    pace: Pace,
    reminders: Collection[str] | None = None,
    now: datetime,
) -> list[datetime]:
    """Plans the reminders of everybody who is asked for another end; the value is when the first of each slot is due.

    It is done alike for those who have answered and those who have not.
    """
    _keep_from_gathering(session)
    by_slot: dict[Slot, datetime] = {}
    for (zone, pending), person_ids in _alike(session, cycle_id, pace).items():
        before = pace.plan(opens_at, moved.before, zone, of=moved.zone_before)
        after = pace.plan(opens_at, moved.after, zone, of=moved.zone)
        is_later = moved.after > moved.before
        plans = [
            planned
            for planned in mailings.replanned(before, after, pending, is_later=is_later, now=now)
            if reminders is None or planned.slot in reminders
        ]
        for planned in plans:
            by_slot[planned.slot] = min(planned.due_at, by_slot.get(planned.slot, planned.due_at))
        for start in range(0, len(person_ids), PORTION):
            _replace_reminders(session, cycle_id, person_ids[start : start + PORTION], plans)
    _forget_wishes(session, cycle_id, moved.after, pace)
    return sorted(by_slot.values())


def _alike(session: Session, cycle_id: uuid.UUID, pace: Pace) -> dict[tuple[tzinfo, frozenset[Slot]], list[uuid.UUID]]:
    """Who is asked in a round, together with all who are in the same zone and have the same reminders to come."""
    pending: dict[uuid.UUID, set[Slot]] = {}
    to_come = (Mailing.cycle_id == cycle_id, Mailing.mail_id.is_(None))
    for person_id, slot in session.execute(select(Mailing.person_id, Mailing.slot).where(*to_come)):
        pending.setdefault(person_id, set()).add(Slot(slot))
    asked = (
        select(Person.id, Person.time_zone)
        .join(Nomination, Nomination.rater_id == Person.id)
        .join(Review, Review.id == Nomination.review_id)
        .where(Review.cycle_id == cycle_id, Person.is_active)
        .distinct()
    )
    found: dict[tuple[tzinfo, frozenset[Slot]], list[uuid.UUID]] = {}
    for person_id, name in session.execute(asked):
        zone = ZoneInfo(name) if name else pace.home
        found.setdefault((zone, frozenset(pending.get(person_id, ()))), []).append(person_id)
    return found


def _replace_reminders(
    session: Session, cycle_id: uuid.UUID, person_ids: Collection[uuid.UUID], plans: Sequence[Planned]
) -> None:
    """Exactly these reminders to come for these people, besides those that they asked for themselves."""
    theirs = (Mailing.cycle_id == cycle_id, Mailing.person_id.in_(person_ids))
    is_kept = Mailing.slot.in_([slot for slot in Slot if slot.is_invitation or slot is Slot.ASKED_FOR])
    session.execute(delete(Mailing).where(*theirs, Mailing.mail_id.is_(None), ~is_kept))
    # What a mail carries at this moment comes again later: the mail then has nothing to say of it.
    session.execute(delete(Mailing).where(*theirs, Mailing.slot.in_([planned.slot for planned in plans])))
    rows = [
        {"person_id": person_id, "cycle_id": cycle_id, "slot": planned.slot, "due_at": planned.due_at}
        for planned in plans
        for person_id in person_ids
    ]
    if rows:
        session.execute(insert(Mailing), rows)


def _forget_wishes(session: Session, cycle_id: uuid.UUID, closes_at: datetime, pace: Pace) -> None:
    """Who wished for a day that lies behind the end now gets the reminders that are left."""
    asked_for = (Mailing.cycle_id == cycle_id, Mailing.mail_id.is_(None), Mailing.slot == Slot.ASKED_FOR)
    session.execute(delete(Mailing).where(*asked_for, Mailing.due_at >= closes_at))
    wishes = select(Snooze, Person.time_zone).join(Person, Person.id == Snooze.person_id)
    for wish, name in session.execute(wishes.where(Snooze.cycle_id == cycle_id, Snooze.until.is_not(None))).all():
        if wish.until and wish.until > days.last_day(closes_at, ZoneInfo(name) if name else pace.home):
            session.delete(wish)
    session.flush()


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
