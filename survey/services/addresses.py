"""A changed address: confirmed from the one before or by an operator, and what a person sees of changes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from survey.core.audit import Event
from survey.core.errors import LinkClosed, NotFound
from survey.store import audit, changes, people
from survey.store.changes import AddressLink, Change, Field, PersonChange, UnconfirmedAddress
from survey.store.invitations import fingerprint
from survey.store.people import Person

CLOSED = "This link has been used, or is not needed any more. A newer mail may have another one."


@dataclass(frozen=True)
class Waiting:
    """A person whose new address waits for a word from the one before, since then."""

    person_id: uuid.UUID
    name: str
    address: str
    before: str
    since: datetime


@dataclass(frozen=True)
class Listed:
    """A change as its person sees it: managers by name, `actor` is who made it, or nothing."""

    field: Field
    before: str
    after: str
    actor: str
    at: datetime


def waiting(session: Session, person_id: uuid.UUID) -> Waiting | None:
    """What is not confirmed of this person's address; None where everything is."""
    row = changes.unconfirmed(session, person_id)
    return None if row is None else _waiting(session, row)


def asked(session: Session, token: str) -> Waiting:
    """What the link in a mail to the old address would confirm. Raises `LinkClosed`."""
    opened = select(AddressLink.person_id).where(AddressLink.hash == fingerprint(token))
    row = session.scalar(select(UnconfirmedAddress).where(UnconfirmedAddress.person_id.in_(opened)))
    if row is None:
        raise LinkClosed(CLOSED)
    return _waiting(session, row)


def confirm(session: Session, token: str, *, now: datetime) -> Waiting:
    """Takes the word of whoever reads the old address that the new one is theirs. Raises `LinkClosed`."""
    found = asked(session, token)
    _confirm(session, found, {"by": "the old address"}, actor_id=found.person_id, now=now)
    return found


def vouch(session: Session, address: str, *, now: datetime) -> Waiting:
    """Confirms an address in place of the old one, for an operator; both are told. Raises `NotFound`."""
    person = people.by_address(session, address)
    found = waiting(session, person.id) if person else None
    if found is None:
        raise NotFound(f"Nobody here has the address {address} and waits for it to be confirmed.")
    change = Change(found.person_id, Field.CONFIRMED, found.before, found.address)
    changes.tell(session, [change], actor_id=None, now=now)
    _confirm(session, found, {"by": "an operator"}, actor_id=None, now=now)
    return found


def listed(session: Session, person_id: uuid.UUID) -> Sequence[Listed]:
    """What was changed of this person's manager and address within the year, the newest first."""
    rows = session.scalars(
        select(PersonChange).where(PersonChange.person_id == person_id).order_by(PersonChange.at.desc())
    ).all()
    managers = [row for row in rows if row.field == Field.MANAGER]
    ids = [uuid.UUID(one) for row in managers for one in (row.before, row.after) if one]
    names = people.names(session, [*ids, *(row.actor_id for row in rows if row.actor_id)])
    shown = {str(person): name for person, name in names.items()}
    shown |= {one: one for row in rows if row.field != Field.MANAGER for one in (row.before, row.after)}
    return [
        Listed(
            Field(row.field),
            shown.get(row.before, ""),
            shown.get(row.after, ""),
            shown.get(str(row.actor_id), ""),
            row.at,
        )
        for row in rows
    ]


def _waiting(session: Session, row: UnconfirmedAddress) -> Waiting:
    person = session.get_one(Person, row.person_id)
    return Waiting(person.id, person.name, person.address, row.proven, row.since)


def _confirm(
    session: Session, found: Waiting, detail: dict[str, str], *, actor_id: uuid.UUID | None, now: datetime
) -> None:
    session.delete(session.get_one(UnconfirmedAddress, found.person_id))
    session.execute(delete(AddressLink).where(AddressLink.person_id == found.person_id))
    session.flush()
    audit.record(session, Event.ADDRESS_CONFIRMED, actor_id=actor_id, about=found.person_id, now=now, detail=detail)
