"""Sign-ins: by a mailed link or by the company's own accounts, seen and ended by whoever they belong to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from survey.core.errors import LinkClosed, NotAllowed, NotFound
from survey.core.letters import Kind
from survey.store import outbox
from survey.store.invitations import fingerprint, mint
from survey.store.people import Person, SignIn, SignInLink, by_address

SIGNED_IN_FOR = timedelta(days=14)


@dataclass(frozen=True)
class Listed:
    """A browser in which somebody is signed in. `key` ends it and signs nobody in: it is the hash of a secret."""

    key: str
    browser: str
    began_at: datetime
    is_here: bool


def ask(session: Session, address: str, *, now: datetime) -> None:
    """A mailed link for whoever has this address. Silent when nobody does: the page must not tell, nor its speed."""
    person = by_address(session, address)
    if person is None or not person.is_active or person.is_external:
        _write_as_much(session, now)
        return
    session.add(
        outbox.Mail(
            kind=Kind.SIGN_IN,
            person_id=person.id,
            reference=person.id,
            slot=uuid.uuid4().hex,
            due_at=now,
        )
    )


def link(session: Session, address: str, *, now: datetime, life: timedelta) -> str:
    """The secret of a sign-in link, for an operator who hands it over by other means than mail."""
    person = by_address(session, address)
    if person is None:
        raise NotFound(f"Nobody here has the address {address}.")
    token, token_hash = mint()
    session.add(SignInLink(hash=token_hash, person_id=person.id, expires_at=now + life))
    return token


def enter(session: Session, token: str, *, browser: str = "", now: datetime) -> str:
    """The secret of a new sign-in, in exchange for a mailed link, which is used up.

    Raises `LinkClosed` for a link that is wrong, used or expired.
    """
    person_id = session.scalar(
        delete(SignInLink)
        .where(SignInLink.hash == fingerprint(token), SignInLink.expires_at > now)
        .returning(SignInLink.person_id)
    )
    if person_id is None:
        raise LinkClosed("This sign-in link has been used or has expired. Ask for a new one below.")
    return _begin(session, person_id, browser, now)


def vouched(session: Session, address: str, *, browser: str = "", now: datetime) -> str:
    """The secret of a new sign-in for the address that the company's own accounts vouch for.

    Raises `NotAllowed` when nobody active here has it.
    """
    person = by_address(session, address, is_kept=True)
    if person is None or not person.is_active or person.is_external:
        raise NotAllowed("Your company account is fine, but nobody has entered you here yet. Ask people operations.")
    return _begin(session, person.id, browser, now)


def who(session: Session, secret: str, *, now: datetime) -> Person | None:
    """Who is signed in under this secret, or None."""
    return session.scalar(
        select(Person)
        .join(SignIn, SignIn.person_id == Person.id)
        .where(SignIn.hash == fingerprint(secret), SignIn.expires_at > now, Person.is_active)
    )


def of(session: Session, person_id: uuid.UUID, *, secret: str, now: datetime) -> Sequence[Listed]:
    """Where this person is signed in, the newest first; `secret` is that of the browser that asks."""
    rows = session.scalars(
        select(SignIn)
        .where(SignIn.person_id == person_id, SignIn.expires_at > now)
        .order_by(SignIn.began_at.desc(), SignIn.hash)
    )
    here = fingerprint(secret)
    return [Listed(row.hash.hex(), row.browser, row.began_at, row.hash == here) for row in rows]


def end(session: Session, secret: str) -> None:
    """Afterwards this secret signs nobody in."""
    session.execute(delete(SignIn).where(SignIn.hash == fingerprint(secret)))


def end_one(session: Session, person_id: uuid.UUID, key: str) -> None:
    """Ends one of this person's own sign-ins. Raises `NotFound` for a key that is none of theirs."""
    try:
        wanted = bytes.fromhex(key)
    except ValueError:
        wanted = b""
    ended = session.scalar(
        delete(SignIn).where(SignIn.hash == wanted, SignIn.person_id == person_id).returning(SignIn.hash)
    )
    if ended is None:
        raise NotFound("That sign-in has ended already.")


def end_others(session: Session, person_id: uuid.UUID, *, secret: str) -> None:
    """Ends every sign-in of this person but the one under this secret, and links that were mailed and not used."""
    session.execute(delete(SignIn).where(SignIn.person_id == person_id, SignIn.hash != fingerprint(secret)))
    session.execute(delete(SignInLink).where(SignInLink.person_id == person_id))


def forget_expired(session: Session, *, now: datetime) -> None:
    """Deletes sign-ins and sign-in links that open nothing any more."""
    for table in (SignInLink, SignIn):
        session.execute(delete(table).where(table.expires_at <= now))


def _write_as_much(session: Session, now: datetime) -> None:
    """A row as for a known address: a link that nobody has, expired when it is made, gone at the next sign-in."""
    anybody = session.scalar(select(Person.id).limit(1))
    if anybody is not None:
        session.add(SignInLink(hash=mint()[1], person_id=anybody, expires_at=now))


def _begin(session: Session, person_id: uuid.UUID, browser: str, now: datetime) -> str:
    forget_expired(session, now=now)
    secret, secret_hash = mint()
    session.add(
        SignIn(hash=secret_hash, person_id=person_id, expires_at=now + SIGNED_IN_FOR, began_at=now, browser=browser)
    )
    return secret
