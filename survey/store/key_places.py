"""Which directory of keys is that of this installation: a mark in it says so, and the database knows the mark.

The mark holds a number that changes every few minutes, in the directory and in the database. So a directory that is
not mounted has no mark, that of another installation has another one, and a copy soon has an old one.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core.cycles import Phase
from survey.core.errors import CopyOfKeys, KeysElsewhere
from survey.store.base import Base, UtcDateTime
from survey.store.cycles import Cycle
from survey.store.keys import Keyring, Mark

KEYS = "keys"
COPY_IS_NEWS = timedelta(hours=1)
"""For so long after a second copy of the directory was seen no key is called destroyed."""

REMEDY = (
    "Is its disk mounted, and is it the one directory that all hosts share? Nothing is made or destroyed in it. "
    "If the right one is lost, see `survey keys mark`."
)


class KeyPlace(Base):
    """The mark of the directory of keys. One row, made with the first key.

    `nonce` is the number that the mark has now. `copy_seen_at` is when a process last met a copy of the directory.
    """

    __tablename__ = "key_place"

    name: Mapped[str] = mapped_column(primary_key=True)
    installation: Mapped[uuid.UUID]
    nonce: Mapped[uuid.UUID]
    copy_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def check(session: Session, keyring: Keyring) -> None:
    """Raises `KeysElsewhere` if a directory was marked and it is not this one. Changes nothing."""
    place = session.get(KeyPlace, KEYS)
    if place is not None:
        _compare(place, keyring)


def require(session: Session, keyring: Keyring) -> None:
    """As `check`; where none was marked yet, this one is, if all keys are in it that must be somewhere."""
    place = session.get(KeyPlace, KEYS)
    if place is None:
        _claim(session, keyring)
    else:
        _compare(place, keyring)


def turn(session: Session, keyring: Keyring) -> None:
    """As `require`, and changes the number: from here on an older copy of the directory is known for one."""
    place = session.scalar(select(KeyPlace).where(KeyPlace.name == KEYS).with_for_update())
    if place is None:
        _claim(session, keyring)
        return
    _compare(place, keyring)
    _renew(place, keyring)


def note_copy(session: Session, *, now: datetime) -> None:
    """Writes down that a copy of the directory was met."""
    place = session.get(KeyPlace, KEYS)
    if place is not None:
        place.copy_seen_at = now


def has_copy(session: Session, *, now: datetime) -> bool:
    """Whether a copy of the directory was met within the hour."""
    place = session.get(KeyPlace, KEYS)
    return place is not None and place.copy_seen_at is not None and now - place.copy_seen_at < COPY_IS_NEWS


def mark(session: Session, keyring: Keyring) -> None:
    """Makes this the directory of keys, whatever was before: somebody who operates the installation says so."""
    place = session.scalar(select(KeyPlace).where(KeyPlace.name == KEYS).with_for_update())
    if place is None:
        place = KeyPlace(name=KEYS, installation=uuid.uuid4(), nonce=uuid.uuid4())
        session.add(place)
    place.copy_seen_at = None
    _renew(place, keyring)
    session.flush()


def known(session: Session) -> set[uuid.UUID]:
    """The installation whose mark the database knows, if it knows one."""
    return set(session.scalars(select(KeyPlace.installation)))


def settle(session: Session, keyring: Keyring, known: Collection[uuid.UUID]) -> None:
    """After a restore: the directory goes on being the one, if its mark is one of these installations or it has none.

    Raises `KeysElsewhere` for that of another installation.
    """
    found = keyring.mark()
    place = session.get(KeyPlace, KEYS)
    if found is not None and found.installation not in {*known, *([place.installation] if place else [])}:
        raise _elsewhere(keyring, "has the mark of another installation")
    if found is not None and place is not None:
        place.installation, place.nonce = found.installation, found.nonce
    mark(session, keyring)


def must_be_there(session: Session) -> list[uuid.UUID]:
    """The cycles whose answers wait, and need a key for it."""
    waits = (Cycle.phase.in_((Phase.OPEN, Phase.CLOSED)), Cycle.is_cancelled.is_(False), Cycle.is_key_lost.is_(False))
    return list(session.scalars(select(Cycle.id).where(*waits)))


def _claim(session: Session, keyring: Keyring) -> None:
    found = keyring.mark()
    if found is not None and not found.is_new:
        raise _elsewhere(keyring, "has the mark of another installation")
    missing = sum(not keyring.is_kept(cycle_id) for cycle_id in must_be_there(session))
    if missing:
        raise _elsewhere(keyring, f"has no mark, and lacks the keys of {missing} rounds")
    made = found or Mark(uuid.uuid4(), uuid.uuid4())
    keyring.put_mark(made)
    session.add(KeyPlace(name=KEYS, installation=made.installation, nonce=made.nonce))
    session.flush()


def _compare(place: KeyPlace, keyring: Keyring) -> None:
    found = keyring.mark()
    if found is None:
        raise _elsewhere(keyring, "has no mark")
    if found.installation != place.installation:
        raise _elsewhere(keyring, "has the mark of another installation")
    if place.nonce not in (found.nonce, found.before):
        raise CopyOfKeys(f"The directory of keys ({keyring.directory}) is a copy: another is in use. {REMEDY}")


def _renew(place: KeyPlace, keyring: Keyring) -> None:
    """Both numbers stand in the directory, so that it fits whether or not the transaction is committed."""
    renewed = Mark(place.installation, uuid.uuid4(), before=place.nonce)
    keyring.put_mark(renewed)
    place.nonce = renewed.nonce


def _elsewhere(keyring: Keyring, what: str) -> KeysElsewhere:
    return KeysElsewhere(f"The directory of keys ({keyring.directory}) {what}. {REMEDY}")
