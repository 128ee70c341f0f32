"""People: who there is, and who reports to whom."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core import people as rules
from survey.core.access import Role
from survey.core.errors import BadInput, NotFound
from survey.store.people import Person, by_address


def add(
    session: Session,
    name: str,
    address: str,
    *,
    role: Role = Role.ENGINEER,
    manager_id: uuid.UUID | None = None,
) -> Person:
    """A new person. Raises `BadInput` for an empty name, an address that is none, or one that is taken."""
    name = " ".join(name.split())
    if not name:
        raise BadInput("A person needs a name.")
    address = rules.check_address(address)
    if by_address(session, address) is not None:
        raise BadInput(f"Somebody with the address {address} is here already.")
    if manager_id is not None and session.get(Person, manager_id) is None:
        raise BadInput("The manager is not known here.")
    person = Person(name=name, address=address, role=role, manager_id=manager_id)
    session.add(person)
    session.flush()
    return person


def at(session: Session, address: str) -> Person:
    """The person at this address. Raises `NotFound`, and `BadInput` for an address that is none."""
    person = by_address(session, rules.check_address(address))
    if person is None:
        raise NotFound(f"There is nobody at {address}.")
    return person


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


def make_administrator(session: Session, address: str) -> Person:
    """The person at this address with the role of people operations, made if there is none."""
    address = rules.check_address(address)
    person = by_address(session, address)
    if person is None:
        person = add(session, address.split("@")[0], address)
    person.role = Role.PEOPLE_OPERATIONS
    person.is_active = True
    return person
