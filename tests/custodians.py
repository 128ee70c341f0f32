"""Rounds whose key is held by people, for tests: appointed, tested, opened."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from nacl.pwhash import argon2id

from survey import context
from survey.core.custody import Holder
from survey.services import custody, cycles
from survey.store.wrapping import Effort
from tests.company import Company

ONE = ("correct horse battery",)
TWO = ("correct horse battery", "another one of us")


def guess_cheaply() -> None:
    """Makes guesses at passphrases cost next to nothing, so that tests are fast."""
    cheap = Effort(argon2id.OPSLIMIT_MIN, argon2id.MEMLIMIT_MIN)
    object.__setattr__(context.installation().keyring, "effort", cheap)


def appoint(company: Company, cycle_id: uuid.UUID, passphrases: Sequence[str], *, is_tested: bool = True) -> None:
    """Has custodians hold the key of a draft; tested, as they should."""
    keyring = context.installation().keyring
    with context.transaction() as session:
        custody.appoint(
            session,
            cycle_id,
            passphrases,
            keyring,
            holder=Holder.of(len(passphrases)),
            actor_id=company.ids["marta"],
            now=context.now(),
        )
    if is_tested:
        with context.transaction() as session:
            custody.tested(session, cycle_id, bytes(keyring.unwrap(cycle_id, passphrases).public_key))


def launch(cycle_id: uuid.UUID) -> None:
    """Opens a draft."""
    with context.transaction() as session:
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())


def open_held(company: Company, passphrases: Sequence[str] = ONE) -> tuple[uuid.UUID, uuid.UUID]:
    """An open round whose key only its custodians can open: its id and the review's."""
    cycle_id, review_id = company.draft()
    appoint(company, cycle_id, passphrases)
    launch(cycle_id)
    return cycle_id, review_id


def unlock(company: Company, cycle_id: uuid.UUID, passphrases: Sequence[str] = ONE) -> None:
    """What the page does when the passphrases are right."""
    with context.transaction() as session:
        custody.begin_guess(session, cycle_id, custody.CLOSED, now=context.now())
    keyring = context.installation().keyring
    private_key = keyring.unwrap(cycle_id, passphrases)
    with context.transaction() as session:
        custody.unlock(session, cycle_id, private_key, keyring, actor_id=company.ids["marta"], now=context.now())
