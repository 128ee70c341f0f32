"""People and their sign-ins."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from survey.core.access import Role
from survey.core.audit import Event
from survey.core.errors import BadInput, LinkClosed, NotFound
from survey.core.letters import Kind
from survey.store import audit, outbox
from survey.store.invitations import fingerprint, mint
from survey.store.people import Person, SignIn, SignInLink, by_address

SIGNED_IN_FOR = timedelta(days=14)


def add(
    session: Session,
    name: str,
    address: str,
    *,
    role: Role = Role.ENGINEER,
    manager_id: uuid.UUID | None = None,
    actor_id: uuid.UUID | None,
    now: datetime,
) -> Person:
    """A new person. Raises `BadInput` for an empty name, an address that is none, or one that is taken."""
    name = " ".join(name.split())
    if not name:
        raise BadInput("A person needs a name.")
    address = check_address(address)
    if by_address(session, address) is not None:
        raise BadInput(f"Somebody with the address {address} is here already.")
    if manager_id is not None and session.get(Person, manager_id) is None:
        raise BadInput("The manager is not known here.")
    person = Person(name=name, address=address, role=role, manager_id=manager_id)
    session.add(person)
    session.flush()
    detail = {"change": "added", "account": role.label}
    audit.record(session, Event.PEOPLE_CHANGED, actor_id=actor_id, about=person.id, now=now, detail=detail)
    return person


def check_address(address: str) -> str:
    """The address in lower case. Raises `BadInput` if no mail could ever reach it."""
    try:
        checked = validate_email(address.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadInput(f"“{address.strip()}” is not an e-mail address: {error}") from error
    return checked.normalized.lower()


def everybody(session: Session) -> Sequence[Person]:
    """All active people, by name."""
    return session.scalars(select(Person).where(Person.is_active).order_by(Person.name, Person.address)).all()


def below(session: Session, manager_id: uuid.UUID) -> Sequence[Person]:
    """Everybody who reports to this manager, directly or below, by name."""
    reporting = (
        select(Person.id).where(Person.manager_id == manager_id, Person.is_active).cte("reporting", recursive=True)
    )
    # UNION, not UNION ALL: a circle of managers comes to an end.
    reporting = reporting.union(select(Person.id).where(Person.manager_id == reporting.c.id, Person.is_active))
    return session.scalars(
        select(Person).where(Person.id.in_(select(reporting.c.id)), Person.id != manager_id).order_by(Person.name)
    ).all()


def ask_sign_in(session: Session, address: str, *, now: datetime) -> None:
    """A mailed link for whoever has this address. Silent when nobody does: the page must not tell."""
    person = by_address(session, address)
    if person is None or not person.is_active:
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


def sign_in(session: Session, token: str, *, now: datetime) -> str:
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
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    secret, secret_hash = mint()
    session.add(SignIn(hash=secret_hash, person_id=person_id, expires_at=now + SIGNED_IN_FOR))
    return secret


def signed_in(session: Session, secret: str, *, now: datetime) -> Person | None:
    """Who is signed in under this secret, or None."""
    return session.scalar(
        select(Person)
        .join(SignIn, SignIn.person_id == Person.id)
        .where(SignIn.hash == fingerprint(secret), SignIn.expires_at > now, Person.is_active)
    )


def sign_out(session: Session, secret: str) -> None:
    """Afterwards this secret signs nobody in."""
    session.execute(delete(SignIn).where(SignIn.hash == fingerprint(secret)))


def make_administrator(session: Session, address: str, *, actor_id: uuid.UUID | None, now: datetime) -> Person:
    """The person at this address with the role of people operations, made if there is none."""
    address = check_address(address)
    person = by_address(session, address)
    if person is None:
        name = address.split("@")[0]
        return add(session, name, address, role=Role.PEOPLE_OPERATIONS, actor_id=actor_id, now=now)
    if person.role != Role.PEOPLE_OPERATIONS or not person.is_active:
        person.role = Role.PEOPLE_OPERATIONS
        person.is_active = True
        session.flush()
        detail = {"change": "another account", "account": Role.PEOPLE_OPERATIONS.label}
        audit.record(session, Event.PEOPLE_CHANGED, actor_id=actor_id, about=person.id, now=now, detail=detail)
    return person
