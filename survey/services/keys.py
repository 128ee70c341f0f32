"""Whether the keys of rounds are where they should be; people operations are told of one that is missing.

Nothing here reads a key, so that none is in the memory of whoever looks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import IllegalStep, KeysElsewhere
from survey.core.letters import Kind
from survey.store import attempts, audit, key_places
from survey.store import cycles as rounds
from survey.store.custody import Custody
from survey.store.cycles import Cycle
from survey.store.keys import Keyring
from survey.store.outbox import Mail

PATIENCE = timedelta(minutes=4)
"""For so long a key may be missing before a mail says so: a disk may be away for a moment."""

INSTALLATION = uuid.UUID(int=0)
"""What an entry of the audit log is about when it is about everything."""


def turn(session: Session, keyring: Keyring) -> None:
    """Changes the number in the mark of the directory. Raises `KeysElsewhere` where it is not the right one.

    In a transaction of its own.
    """
    key_places.turn(session, keyring)


def note_copy(session: Session, *, now: datetime) -> None:
    """Writes down that a copy of the directory of keys was met: no key is called destroyed for an hour."""
    key_places.note_copy(session, now=now)


def check(session: Session, keyring: Keyring) -> None:
    """Raises `KeysElsewhere` if this is not the directory of keys of this installation."""
    key_places.check(session, keyring)


def watch(session: Session, keyring: Keyring, *, is_ours: bool, now: datetime) -> Sequence[uuid.UUID]:
    """Notes which keys are missing, and which are back; the value names the rounds that people were told of just now.

    In a directory that is not the right one, `is_ours` false, all of them are missing.
    """
    told = []
    for cycle, is_locked in _waiting(session):
        if is_ours and keyring.is_usable(cycle.id, is_locked=is_locked):
            _note_back(session, cycle)
        elif cycle.key_missed_at is None:
            cycle.key_missed_at = now
        elif now - cycle.key_missed_at >= PATIENCE and not _is_told(session, cycle.id):
            attempts.tell(session, Kind.KEY_MISSING, cycle.id, attempts.IS_PEOPLE_OPERATIONS, now=now)
            audit.record(session, Event.KEY_MISSING, actor_id=None, about=cycle.id, now=now)
            told.append(cycle.id)
    session.flush()
    return told


def missing(session: Session, keyring: Keyring) -> list[str]:
    """The names of rounds whose key should be there and is not."""
    return [
        cycle.name for cycle, is_locked in _waiting(session) if not keyring.is_usable(cycle.id, is_locked=is_locked)
    ]


def has_copy(session: Session, *, now: datetime) -> bool:
    """Whether a host was met within the hour that has a copy of the directory of keys."""
    return key_places.has_copy(session, now=now)


def mark(session: Session, keyring: Keyring, *, now: datetime) -> None:
    """Makes this the directory of keys, because somebody who operates the installation says so."""
    key_places.mark(session, keyring)
    audit.record(session, Event.KEYS_MARKED, actor_id=None, about=INSTALLATION, now=now)


def may_come_back(session: Session, keyring: Keyring) -> set[uuid.UUID]:
    """The cycles whose key may be put back: it should be there, and is not. Raises `KeysElsewhere`."""
    key_places.require(session, keyring)
    return {cycle.id for cycle, _ in _waiting(session) if not keyring.is_kept(cycle.id)}


def begin_destroying(
    session: Session, cycle_ids: Sequence[uuid.UUID], keyring: Keyring, *, now: datetime
) -> list[uuid.UUID]:
    """Those of these counted cycles whose key may be destroyed now, and be called destroyed then.

    It is in the directory, or was when it was begun to be destroyed; or it never came back and was given up. Others
    wait, and so do all while a copy of the directory is about. In a transaction of its own. Raises `KeysElsewhere`.
    """
    if key_places.has_copy(session, now=now):
        return []
    key_places.turn(session, keyring)
    ready = []
    for cycle in session.scalars(select(Cycle).where(Cycle.id.in_(cycle_ids)).with_for_update()):
        if keyring.is_kept(cycle.id):
            cycle.is_key_found, cycle.is_key_lost = True, False
        if cycle.is_key_found or cycle.is_key_lost:
            ready.append(cycle.id)
        elif cycle.key_missed_at is None:
            cycle.key_missed_at = now
    session.flush()
    return ready


def give_up(session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Has a round go on whose key is missing for good. What waits to be counted is to be abandoned beside it.

    Raises `IllegalStep` for a round that is open, or whose key is there or was destroyed.
    """
    cycle = rounds.locked(session, cycle_id)
    if cycle.phase not in (Phase.CLOSED, Phase.TALLIED) or cycle.is_key_destroyed or cycle.key_missed_at is None:
        raise IllegalStep("Only a round that has ended and whose key is missing can be given up.")
    if _is_back(session, keyring, cycle_id):
        raise IllegalStep("The key of this round is back: it goes on by itself within a minute.")
    cycle.is_key_lost = True
    audit.record(session, Event.KEY_GIVEN_UP, actor_id=actor_id, about=cycle_id, now=now)


def _is_back(session: Session, keyring: Keyring, cycle_id: uuid.UUID) -> bool:
    try:
        key_places.check(session, keyring)
    except KeysElsewhere:
        return False
    return keyring.is_kept(cycle_id)


def _waiting(session: Session) -> Iterator[tuple[Cycle, bool]]:
    """The rounds whose key must be somewhere, and whether it is locked."""
    rows = session.execute(
        select(Cycle, Custody)
        .outerjoin(Custody, Custody.cycle_id == Cycle.id)
        .where(
            Cycle.phase.in_((Phase.OPEN, Phase.CLOSED, Phase.TALLIED)),
            Cycle.is_key_destroyed.is_(False),
            Cycle.is_key_found.is_(False),
            Cycle.is_key_lost.is_(False),
        )
        .order_by(Cycle.name)
    )
    for cycle, custody in rows:
        yield cycle, custody is not None and not custody.is_unlocked


def _note_back(session: Session, cycle: Cycle) -> None:
    if cycle.key_missed_at is None:
        return
    cycle.key_missed_at = None
    # Should it be missing once more, there is a mail once more.
    session.execute(delete(Mail).where(Mail.kind == Kind.KEY_MISSING, Mail.reference == cycle.id))


def _is_told(session: Session, cycle_id: uuid.UUID) -> bool:
    mails = exists().where(Mail.kind == Kind.KEY_MISSING, Mail.reference == cycle_id)
    return bool(session.scalar(select(mails)))
