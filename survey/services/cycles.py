"""Cycles: opened, moved, closed, released. Setting one up is in services/drafts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from survey.core import cycles, days, releases
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep, NotFound
from survey.core.letters import Kind
from survey.core.mailings import CONSIDERATE, Pace
from survey.store import attempts, audit, invitations, mailings, openings, outbox, readers
from survey.store import cycles as store
from survey.store.custody import Custody
from survey.store.cycles import Cycle, Review
from survey.store.invitations import Invitation, InvitationToken
from survey.store.keys import Keyring
from survey.store.mailings import RefusedAddress
from survey.store.people import Person, by_name


@dataclass(frozen=True)
class Undelivered:
    """Somebody whose address refused our mail; `is_corrected` when they have another address by now."""

    name: str
    address: str
    is_corrected: bool


@dataclass(frozen=True)
class Moved:
    """What came of moving an end: `due` is when the reminders of an open round begin to be due that are planned now."""

    is_changed: bool
    is_open: bool
    has_reminders: bool = False
    due: tuple[datetime, ...] = ()


def get(session: Session, cycle_id: uuid.UUID) -> Cycle:
    """The cycle. Raises `NotFound`."""
    return store.get(session, cycle_id)


def review(session: Session, review_id: uuid.UUID) -> Review:
    """The review. Raises `NotFound`."""
    row = session.get(Review, review_id)
    if row is None:
        raise NotFound("There is no such review.")
    return row


def everything(session: Session) -> Sequence[Cycle]:
    """All cycles, the one that ends last first."""
    return session.scalars(select(Cycle).order_by(Cycle.closes_at.desc(), Cycle.folded)).all()


def launched_by(session: Session, person_id: uuid.UUID) -> Sequence[Cycle]:
    """The cycles of one launcher, the one that ends last first."""
    return session.scalars(
        select(Cycle).where(Cycle.launcher_id == person_id).order_by(Cycle.closes_at.desc(), Cycle.folded)
    ).all()


def destroyed(session: Session) -> frozenset[uuid.UUID]:
    """The cycles that were counted or cancelled, and whose key is destroyed."""
    return frozenset(session.scalars(select(Cycle.id).where(Cycle.is_key_destroyed)))


frequency, questionnaire = store.frequency, store.questionnaire


def open_(
    session: Session,
    cycle_id: uuid.UUID,
    keyring: Keyring,
    *,
    pace: Pace = CONSIDERATE,
    actor_id: uuid.UUID | None,
    now: datetime,
) -> bool:
    """Opens the cycle: a key is made, questionnaires and teams are frozen, invitations and what will be mailed are
    written. False for a large one, which is only begun: a worker opens it (services/openings).

    Raises as `survey.store.openings.begin`.
    """
    cycle = openings.begin(session, cycle_id, keyring, actor_id=actor_id, now=now)
    review_ids = openings.unopened(session, cycle_id)
    if len(review_ids) > openings.PORTION:
        return False
    openings.freeze(session, review_ids)
    openings.finish(session, cycle, keyring, pace=pace, now=now)
    return True


def open_due(session: Session, keyring: Keyring, *, now: datetime) -> list[uuid.UUID]:
    """Begins to open every cycle whose day has come; the value names them.

    One that cannot be opened stays a draft, and its launcher gets a mail.
    """
    due = session.scalars(
        select(Cycle).where(Cycle.phase.in_((Phase.DRAFT, Phase.NOMINATING)), Cycle.is_scheduled, Cycle.opens_at <= now)
    ).all()
    begun = []
    for cycle in due:
        try:
            with session.begin_nested():
                openings.begin(session, cycle.id, keyring, actor_id=None, now=now)
        except BadInput:
            cycle.is_scheduled = False
            attempts.tell(session, Kind.NOT_OPENED, cycle.id, Person.id == cycle.launcher_id, now=now)
        else:
            begun.append(cycle.id)
    return begun


def move_end(
    session: Session,
    cycle_id: uuid.UUID,
    closes_at: datetime,
    *,
    pace: Pace = CONSIDERATE,
    actor_id: uuid.UUID | None,
    now: datetime,
) -> Moved:
    """Another end for a draft or an open cycle, which is open then; its reminders are planned for it.

    Its days are those of the installation from here on: whoever says a day now means one of these.
    """
    cycle = store.locked(session, cycle_id)
    phase = Phase(cycle.phase)
    cycles.require(phase, Phase.DRAFT, Phase.NOMINATING, Phase.OPEN)
    before, moved = cycle.last_day, mailings.Moved(cycle.closes_at, cycle.zone, closes_at, pace.home)
    cycle.closes_at, cycle.time_zone = cycles.check_end(now, closes_at), days.zone_name(pace.home)
    if phase is not Phase.OPEN:
        return Moved(moved.before != closes_at, is_open=False)
    assert cycle.opens_at is not None  # noqa: S101 - an open cycle has been opened
    cycle.attempts = 0
    if moved.before == closes_at:
        return Moved(is_changed=False, is_open=True)
    due = mailings.replan(
        session, cycle_id, moved, opens_at=cycle.opens_at, pace=pace, reminders=cycle.reminders, now=now
    )
    detail = {"last day": str(cycle.last_day), "before": str(before)}
    audit.record(session, Event.CYCLE_CHANGED, actor_id=actor_id, about=cycle_id, now=now, detail=detail)
    return Moved(is_changed=True, is_open=True, has_reminders=cycle.reminders != [], due=tuple(due))


def close(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Closes the cycle: from here on no answer is accepted, and the tally may begin.

    Every open invitation becomes void in the same transaction. An answer that is being written holds the row of
    its invitation; so it is either in before this, or finds the invitation void.
    """
    _close(session, cycle_id, now=now)
    detail = {"how": "by hand"}
    audit.record(session, Event.CYCLE_CLOSED, actor_id=actor_id, about=cycle_id, now=now, detail=detail)


def _close(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    cycle = store.locked(session, cycle_id)
    cycle.phase = cycles.step(Phase(cycle.phase), Phase.CLOSED)
    cycle.closes_at, cycle.attempts = min(cycle.closes_at, now), 0
    session.flush()
    asked = select(Invitation.id).join(Review, Review.id == Invitation.review_id).where(Review.cycle_id == cycle_id)
    session.execute(
        update(Invitation)
        .where(Invitation.id.in_(asked), Invitation.state == invitations.State.OPEN)
        .values(state=invitations.State.VOID)
    )
    session.execute(delete(InvitationToken).where(InvitationToken.invitation_id.in_(asked)))
    mailings.forget(session, cycle_id)
    _ask_for_passphrase(session, cycle, now)


def cancel(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Ends an open cycle without a report: answers are deleted unopened, and the key with them, by the tally.

    Raises `IllegalStep` unless it is open.
    """
    get(session, cycle_id).is_cancelled = True
    _close(session, cycle_id, now=now)
    detail = {"how": "cancelled, without reports"}
    audit.record(session, Event.CYCLE_CLOSED, actor_id=actor_id, about=cycle_id, now=now, detail=detail)


def due_to_close(session: Session, *, now: datetime) -> Sequence[uuid.UUID]:
    """The open cycles whose end has come, those first that a worker has begun to close least often."""
    return attempts.due(session, *_is_over(now), then=Cycle.closes_at)


def begin_closing(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> bool:
    """Counts one more attempt to close a cycle whose end has come. When there were enough, people are told.

    The value is False then. In a transaction of its own: it must be known even if the attempt ends its worker.
    """
    return attempts.begin_step(session, cycle_id, *_is_over(now), step="closing", kind=Kind.STUCK, now=now)


def close_due(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> bool:
    """Closes an open cycle whose end has come; False where it has not, or somebody else closed it."""
    cycle = store.locked(session, cycle_id)
    if cycle.phase != Phase.OPEN or cycle.closes_at > now:
        return False
    _close(session, cycle_id, now=now)
    detail = {"how": "its last day was over"}
    audit.record(session, Event.CYCLE_CLOSED, actor_id=None, about=cycle_id, now=now, detail=detail)
    return True


def release(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Lets managers and subjects read the reports, and mails them; or managers first, where the cycle wants it so.

    Which managers that are is settled here. Where there is none, nobody reads first, and the subject reads at once.
    Raises `IllegalStep` before everything is counted and the key is destroyed.
    """
    cycle = store.locked(session, cycle_id)
    if cycle.is_cancelled:
        raise IllegalStep("This round was cancelled. Its answers were deleted unopened, so there are no reports.")
    to = cycles.step(Phase(cycle.phase), Phase.RELEASED)
    if not cycle.is_key_destroyed:
        raise BadInput("The key of this round is just being destroyed. Please try again in a minute.")
    cycle.phase, cycle.held_until, cycle.attempts = to, releases.held_until(now, cycle.manager_days, cycle.zone), 0
    session.flush()
    settled = readers.settle(session, cycle.reviews)
    direct = (row.subject.manager_id for row in cycle.reviews if row.subject.manager_id in settled[row.id])
    session.add_all(
        outbox.Mail(kind=Kind.TEAM_REPORTS, person_id=manager_id, reference=cycle_id, due_at=now)
        for manager_id in dict.fromkeys(direct)
    )
    if cycle.held_until is None:
        session.add_all(outbox.about_reports(cycle.reviews, now))
    session.flush()
    readers.give_unread(session, now=now)
    detail = {"reports": str(len(cycle.reviews))}
    audit.record(session, Event.CYCLE_RELEASED, actor_id=actor_id, about=cycle_id, now=now, detail=detail)


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
        .order_by(*by_name())
    )
    return [(review_id, name, titles.get(review_id, ())) for review_id, name in rows]


def counted(session: Session, cycle_id: uuid.UUID) -> tuple[int, int]:
    """How many reviews of a closed cycle are counted, and how many there are."""
    total, done = session.execute(
        select(func.count(), func.count().filter(Review.is_tallied)).where(Review.cycle_id == cycle_id)
    ).one()
    return done, total


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
        .order_by(*by_name())
    )
    return [Undelivered(row.name, row.address, row.address != row.current) for row in rows]


def _is_over(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Cycle.phase == Phase.OPEN, Cycle.closes_at <= now


def _ask_for_passphrase(session: Session, cycle: Cycle, now: datetime) -> None:
    """Writes the mails that say that the answers wait for their custodians, if there are any."""
    if session.get(Custody, cycle.id) is None or cycle.is_cancelled:
        return
    launcher = Person.id == cycle.launcher_id
    attempts.tell(session, Kind.LOCKED, cycle.id, or_(attempts.IS_PEOPLE_OPERATIONS, launcher), now=now)
