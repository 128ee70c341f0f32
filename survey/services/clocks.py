"""What cannot be undone waits where the clock may have jumped: what that is, and how it goes on when somebody says so.

Reads no answer, no draft and no invitation.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from survey.core import clocks, nominations
from survey.core.audit import Event
from survey.core.clocks import Reading, Sweeps
from survey.core.cycles import Phase
from survey.core.letters import Kind
from survey.core.nominations import Choice
from survey.store import attempts, audit
from survey.store.clocks import LastLook
from survey.store.cycles import Cycle, Review
from survey.store.mailings import Mailing
from survey.store.outbox import Mail, State

INSTALLATION = uuid.UUID(int=0)
"""What an entry of the log is about that is about everything."""

GOES_ANYWAY = (Kind.SIGN_IN, Kind.CLOCK)
"""Mail that is sent whatever the clock says: it can do no harm, and nobody could sign in to say so otherwise."""

SELDOM = timedelta(minutes=1)
"""So often at most a sweep writes down that it looked."""


@dataclass(frozen=True)
class Kept:
    """From when on things are kept: what ended before is deleted."""

    invitations_from: datetime
    reports_from: datetime


@dataclass(frozen=True)
class Held:
    """Sweeps that wait for a word: since when nobody looked, and what they would do, in sentences."""

    sweeps: Sweeps
    looked_at: datetime
    would: tuple[str, ...]


def may(session: Session, sweeps: Sweeps, now: Reading, kept: Kept) -> bool:
    """Whether these sweeps may do what is due; if not, people operations are told, once.

    Where nothing is due, nothing is asked.
    """
    row = session.get(LastLook, sweeps, with_for_update=True)
    last = row.reading if row else None
    if clocks.is_believed(sweeps, last, now):
        if row is None or row.is_held or now.at - row.looked_at >= SELDOM or now.boot != row.boot:
            _believe(session, sweeps, now)
        return True
    assert row is not None  # noqa: S101 - a first look is always believed
    if not any(count for _, count in _due(session, sweeps, now.at, kept)):
        # A clock that went back has to catch up first with what was believed before.
        if now.at > row.looked_at:
            _believe(session, sweeps, now)
        return True
    if not row.is_held and not is_held(session):
        attempts.tell(session, Kind.CLOCK, INSTALLATION, attempts.IS_PEOPLE_OPERATIONS, now=now.at)
    row.is_held = True
    return False


def held(session: Session, now: datetime, kept: Kept) -> list[Held]:
    """What waits because the clock is doubted; empty where nothing does."""
    rows = {row.name: row for row in session.scalars(select(LastLook).where(LastLook.is_held))}
    return [
        Held(sweeps, rows[sweeps].looked_at, _in_words(_due(session, sweeps, now, kept)))
        for sweeps in Sweeps
        if sweeps in rows
    ]


def is_held(session: Session) -> bool:
    """Whether anything waits because the clock is doubted."""
    return session.scalar(select(LastLook.name).where(LastLook.is_held).limit(1)) is not None


def accept(session: Session, now: Reading, *, actor_id: uuid.UUID | None) -> bool:
    """Believes the clock as it is now, so that everything goes on; False where nothing waited for that."""
    rows = session.scalars(select(LastLook).where(LastLook.is_held).with_for_update()).all()
    for row in rows:
        detail = {"what": row.name, "last looked": row.looked_at.isoformat(timespec="seconds")}
        _believe(session, Sweeps(row.name), now)
        audit.record(session, Event.CLOCK_ACCEPTED, actor_id=actor_id, about=INSTALLATION, now=now.at, detail=detail)
    return bool(rows)


def _believe(session: Session, sweeps: Sweeps, now: Reading) -> None:
    row = LastLook(
        name=sweeps,
        looked_at=now.at,
        boot=now.boot,
        uptime_seconds=int(now.uptime.total_seconds()),
        is_held=False,
    )
    session.merge(row)
    session.flush()


def _due(session: Session, sweeps: Sweeps, now: datetime, kept: Kept) -> list[tuple[str, int]]:
    """What these sweeps would do at this moment: in words, and how often."""
    if sweeps is Sweeps.STEPS:
        return _steps(session, now)
    return _deletions(session, kept)


def _steps(session: Session, now: datetime) -> list[tuple[str, int]]:
    is_set_up = Cycle.phase.in_((Phase.DRAFT, Phase.NOMINATING))
    is_silent = (Cycle.phase == Phase.NOMINATING, Review.choice != Choice.APPROVED)
    choices = select(func.count()).select_from(Review).join(Cycle, Cycle.id == Review.cycle_id)
    approved = choices.where(*is_silent, Cycle.opens_at <= now + nominations.SILENCE)
    reminded = select(func.count(Mailing.cycle_id.distinct())).where(Mailing.mail_id.is_(None), Mailing.due_at <= now)
    mails = select(func.count()).where(Mail.state == State.WAITING, Mail.due_at <= now, Mail.kind.not_in(GOES_ANYWAY))
    return [
        ("close {} and count it for good", _rounds(session, Cycle.phase == Phase.OPEN, Cycle.closes_at <= now)),
        ("open {}", _rounds(session, is_set_up, Cycle.is_scheduled, Cycle.opens_at <= now)),
        ("take the choice of raters as approved in {}", session.scalar(approved) or 0),
        ("give the engineers the reports of {}", _rounds(session, Cycle.held_until <= now)),
        ("mail the raters of {}", session.scalar(reminded) or 0),
        ("send {}", session.scalar(mails) or 0),
    ]


def _deletions(session: Session, kept: Kept) -> list[tuple[str, int]]:
    is_counted = Cycle.phase.in_((Phase.TALLIED, Phase.RELEASED, Phase.ARCHIVED))
    with_reports = Cycle.phase.in_((Phase.TALLIED, Phase.RELEASED))
    has_invitations = Cycle.id.in_(select(Review.cycle_id).where(Review.answered.is_(None), Review.is_tallied))
    invitations = (is_counted, has_invitations, Cycle.closes_at < kept.invitations_from)
    reports = (with_reports, Cycle.is_key_destroyed, Cycle.closes_at < kept.reports_from)
    return [
        ("delete all reports of {}", _rounds(session, *reports)),
        ("delete who was asked in {}", _rounds(session, *invitations)),
    ]


def _rounds(session: Session, *conditions: ColumnElement[bool] | InstrumentedAttribute[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Cycle).where(*conditions)) or 0


def _in_words(due: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(words.format(_counted(words, count)) for words, count in due if count)


def _counted(words: str, count: int) -> str:
    one, many = _COUNTED.get(words, ("one round", "rounds"))
    return one if count == 1 else f"{count} {many}"


_COUNTED: Mapping[str, tuple[str, str]] = {
    "take the choice of raters as approved in {}": ("one review", "reviews"),
    "send {}": ("one other mail", "other mails"),
}
