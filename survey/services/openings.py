"""Rounds too large to be opened within a request: opened by a worker, review by review, or taken back."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core.cycles import Phase
from survey.core.letters import Kind
from survey.core.mailings import Pace
from survey.store import attempts, openings
from survey.store import cycles as rounds
from survey.store.cycles import Cycle
from survey.store.keys import Keyring
from survey.store.people import Person

PORTION = openings.PORTION


def due(session: Session) -> Sequence[uuid.UUID]:
    """The cycles that are being opened, those first that a worker has begun least often."""
    return session.scalars(select(Cycle.id).where(_IS_OPENING).order_by(Cycle.attempts, Cycle.id)).all()


def begin(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> bool:
    """Counts one more attempt to go on with an opening. When there were enough, the cycle is what it was before.

    The value is False then; its launcher and people operations get a mail. In a transaction of its own: it must be
    known even if the attempt ends its worker.
    """
    if attempts.begin_step(session, cycle_id, _IS_OPENING, step="opening", kind=Kind.NOT_OPENED, now=now):
        return True
    openings.take_back(session, rounds.locked(session, cycle_id))
    return False


def unopened(session: Session, cycle_id: uuid.UUID) -> list[uuid.UUID]:
    """The reviews of an opening cycle that have no invitations yet."""
    return openings.unopened(session, cycle_id)


def progress(session: Session, cycle_id: uuid.UUID) -> tuple[int, int]:
    """How many reviews of an opening cycle have their invitations, and how many there are."""
    return openings.progress(session, cycle_id)


def go_on(session: Session, cycle_id: uuid.UUID, review_ids: Collection[uuid.UUID]) -> bool:
    """Opens these reviews; False where the cycle is not opening any more. Harmless for those that were opened before.

    Raises `BadInput` when nobody but the subject is asked about somebody: `refuse` then.
    """
    cycle = rounds.locked(session, cycle_id)
    if cycle.phase != Phase.OPENING:
        return False
    openings.freeze(session, review_ids)
    cycle.attempts = 0
    return True


def finish(session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, pace: Pace, now: datetime) -> bool:
    """Makes the cycle open; False where it is not opening any more. Raises `BadInput`: `refuse` then."""
    cycle = rounds.locked(session, cycle_id)
    if cycle.phase != Phase.OPENING:
        return False
    openings.finish(session, cycle, keyring, pace=pace, now=now)
    return True


def refuse(session: Session, cycle_id: uuid.UUID, *, now: datetime) -> None:
    """Takes back an opening that met something that cannot be opened; its launcher gets a mail."""
    cycle = rounds.locked(session, cycle_id)
    if cycle.phase == Phase.OPENING:
        openings.take_back(session, cycle)
        attempts.tell(session, Kind.NOT_OPENED, cycle_id, Person.id == cycle.launcher_id, now=now)


def take_back(session: Session, cycle_id: uuid.UUID) -> None:
    """Stops an opening by hand: the cycle is what it was before, and waits to be opened by hand.

    Raises `IllegalStep` where it is open by now, or never began.
    """
    openings.take_back(session, rounds.locked(session, cycle_id))


_IS_OPENING = Cycle.phase == Phase.OPENING
