"""Custody: the key of a round wrapped with passphrases, tested before launch, unlocked after the close.

A guess is counted and committed before it is looked at, so that nobody gets more of them by guessing at once:
`begin_guess` in a transaction of its own, then `Keyring.unwrap`, then `refuse`, or `tested` or `unlock`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from nacl.public import PrivateKey
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from survey.core import custody as rules
from survey.core import cycles
from survey.core.audit import Event
from survey.core.custody import Holder
from survey.core.cycles import Phase
from survey.core.errors import BadInput, NotFound, TooManyGuesses
from survey.store import audit, key_places
from survey.store.custody import Custody
from survey.store.cycles import Cycle
from survey.store.keys import Keyring

DRAFTED = frozenset({Phase.DRAFT, Phase.NOMINATING})
"""Where passphrases are chosen and tested."""

CLOSED = frozenset({Phase.CLOSED})
"""Where they unlock the key."""


@dataclass(frozen=True)
class Standing:
    """How the custody of a cycle stands. `is_waiting`: the round has closed, and nobody has unlocked it."""

    holder: Holder
    is_tested: bool
    is_waiting: bool


def of(session: Session, cycle_id: uuid.UUID) -> Standing:
    """How the custody of this cycle stands."""
    row = session.get(Custody, cycle_id)
    if row is None:
        return Standing(Holder.SERVER, is_tested=False, is_waiting=False)
    phase = session.scalar(select(Cycle.phase).where(Cycle.id == cycle_id))
    return Standing(Holder.of(row.passphrases), row.is_tested, phase == Phase.CLOSED and not row.is_unlocked)


def appoint(
    session: Session,
    cycle_id: uuid.UUID,
    passphrases: Sequence[str],
    keyring: Keyring,
    *,
    holder: Holder,
    actor_id: uuid.UUID,
    now: datetime,
) -> None:
    """Has people hold the key of a draft: it is made, wrapped, and forgotten. Takes the place of an earlier choice.

    Raises `BadInput` for passphrases that are weak, alike or missing, and `IllegalStep` after the launch.
    """
    plain = rules.check_passphrases(passphrases, holder)
    _require_draft(session, cycle_id)
    row = session.get(Custody, cycle_id)
    if row is not None:
        session.delete(row)
        session.flush()
    key_places.require(session, keyring)
    public_key = keyring.make_wrapped(cycle_id, plain)
    session.add(Custody(cycle_id=cycle_id, passphrases=holder.passphrases, public_key=public_key))
    session.flush()
    _record(session, Event.CUSTODY_CHANGED, cycle_id, actor_id, now, holder=holder)


def dismiss(session: Session, cycle_id: uuid.UUID, keyring: Keyring, *, actor_id: uuid.UUID, now: datetime) -> None:
    """Leaves the key of a draft to the server, and destroys the wrapped one. Harmless where nobody holds it."""
    _require_draft(session, cycle_id)
    row = session.get(Custody, cycle_id)
    if row is None:
        return
    key_places.require(session, keyring)
    keyring.destroy(cycle_id)
    session.delete(row)
    session.flush()
    _record(session, Event.CUSTODY_CHANGED, cycle_id, actor_id, now, holder=Holder.SERVER)


def begin_guess(session: Session, cycle_id: uuid.UUID, phases: Collection[Phase], *, now: datetime) -> None:
    """Counts a guess at the passphrases of a cycle in one of these phases, as if it were wrong.

    Raises `TooManyGuesses` during a pause, and `IllegalStep` in another phase.
    """
    cycles.require(_phase(session, cycle_id), *phases)
    row = _row(session, cycle_id)
    if row.paused_until is not None and now < row.paused_until:
        wait = rules.wait_in_words(row.paused_until - now)
        raise TooManyGuesses(f"That was wrong too often. Nothing is lost; please try again in {wait}.")
    row.guesses += 1
    pause = rules.pause_after(row.guesses)
    row.paused_until = now + pause if pause else None


def refuse(session: Session, cycle_id: uuid.UUID, *, actor_id: uuid.UUID, now: datetime) -> str:
    """Writes a wrong guess down; the value says to the person how many are left, or how long to wait."""
    row = _row(session, cycle_id)
    _record(session, Event.UNLOCK_REFUSED, cycle_id, actor_id, now, guesses=str(row.guesses))
    wrong = "That does not open the key." if row.passphrases == 1 else "These two together do not open the key."
    if row.paused_until is not None and now < row.paused_until:
        return f"{wrong} Please try again in {rules.wait_in_words(row.paused_until - now)}."
    left = rules.FREE_GUESSES - row.guesses
    return f"{wrong} {left} more {'try' if left == 1 else 'tries'}, then a pause."


def tested(session: Session, cycle_id: uuid.UUID, public_key: bytes) -> None:
    """Notes that the passphrases opened the key of a draft with this public half, which may be launched now."""
    _require_draft(session, cycle_id)
    row = _row(session, cycle_id)
    if row.public_key != public_key:
        raise BadInput("The passphrases were changed just now. Please test them again.")
    row.is_tested, row.guesses, row.paused_until = True, 0, None


def unlock(
    session: Session,
    cycle_id: uuid.UUID,
    private_key: PrivateKey,
    keyring: Keyring,
    *,
    actor_id: uuid.UUID,
    now: datetime,
) -> None:
    """Lays the key of a closed cycle open for the count, which may begin. Raises `IllegalStep` in another phase.

    The cycle is locked meanwhile: a slow second unlocking cannot bring back a key that was destroyed after the count.
    """
    cycles.require(_phase(session, cycle_id), *CLOSED)
    row = _row(session, cycle_id)
    key_places.require(session, keyring)
    keyring.lay_open(cycle_id, private_key)
    row.is_unlocked, row.guesses, row.paused_until = True, 0, None
    _record(session, Event.KEY_UNLOCKED, cycle_id, actor_id, now)


def forget(session: Session, cycle_id: uuid.UUID, keyring: Keyring) -> None:
    """Destroys the wrapped key of a draft that is about to be deleted. Harmless where there is none."""
    _require_draft(session, cycle_id)
    if session.scalar(select(exists().where(Custody.cycle_id == cycle_id))):
        key_places.require(session, keyring)
        keyring.destroy(cycle_id)


def _require_draft(session: Session, cycle_id: uuid.UUID) -> None:
    cycles.require(_phase(session, cycle_id), *DRAFTED)


def _phase(session: Session, cycle_id: uuid.UUID) -> Phase:
    # Locked, so that no launch or close happens meanwhile.
    phase = session.scalar(select(Cycle.phase).where(Cycle.id == cycle_id).with_for_update(of=Cycle))
    if phase is None:
        raise NotFound("There is no such round.")
    return Phase(phase)


def _row(session: Session, cycle_id: uuid.UUID) -> Custody:
    row = session.scalar(select(Custody).where(Custody.cycle_id == cycle_id).with_for_update(of=Custody))
    if row is None:
        raise BadInput("The key of this round is held by the server; there is no passphrase.")
    return row


def _record(
    session: Session, event: Event, cycle_id: uuid.UUID, actor_id: uuid.UUID, now: datetime, **detail: str
) -> None:
    audit.record(session, event, actor_id=actor_id, about=cycle_id, now=now, detail=detail)
