"""Who there is, and how they sign in. Knows nothing of what anybody answered."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, and_, false, select, text, true
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.orm.util import AliasedClass

from survey.core import names as names_of_people
from survey.core.access import Role
from survey.store.base import Base, Named, Plainly, UtcDateTime, is_on_postgresql, random_key


class Person(Named, Base):
    """A person who can be asked, reviewed, or sign in. One address is one person.

    `time_zone` is an IANA name, None for that of the installation; `language` a tag such as "en". Of an erased person
    only the row is left, so that counts stay right: no name, no address. An external person works elsewhere: they can
    be asked, and neither sign in nor be reviewed.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("address = lower(address)", name="address_is_lower_case"),
        CheckConstraint("role IN ('people_operations', 'manager', 'engineer')", name="role_is_known"),
        Index("ix_person_manager_id", "manager_id"),
    )

    id: Mapped[uuid.UUID] = random_key()
    address: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(default=Role.ENGINEER)
    manager_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("person.id"))
    is_active: Mapped[bool] = mapped_column(default=True)
    team: Mapped[str] = mapped_column(default="", server_default="")
    level: Mapped[int | None]
    time_zone: Mapped[str | None]
    language: Mapped[str] = mapped_column(default="en", server_default="en")
    is_erased: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_external: Mapped[bool] = mapped_column(default=False, server_default=false())


class SignInLink(Base):
    """A mailed link that has not been used: the hash of its secret, ten minutes long."""

    __tablename__ = "sign_in_link"
    __table_args__ = (Index("ix_sign_in_link_expires_at", "expires_at"),)

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignIn(Base):
    """A browser in which somebody is signed in: the hash of the secret in its cookie, and what people know it by."""

    __tablename__ = "sign_in"
    __table_args__ = (Index("ix_sign_in_expires_at", "expires_at"),)

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    browser: Mapped[str]


Who = type[Person] | AliasedClass[Person]


def by_name(who: Who = Person) -> tuple[ColumnElement[str], ...]:
    """What to sort people by: the order of names, and of addresses where they are alike, on every database."""
    return who.folded.expression, Plainly(who.address)


def is_called(typed: str) -> ColumnElement[bool]:
    """The condition that each word of what was typed stands somewhere in a person's name."""
    words = names_of_people.words(typed)[:WORDS_AT_MOST]
    return and_(true(), *(Person.folded.contains(word, autoescape=True) for word in words))


WORDS_AT_MOST = 10
"""So many words of a search are looked for: nobody types more of a name."""


def by_address(session: Session, address: str, *, is_kept: bool = False) -> Person | None:
    """The person at this address, in whatever letter case it was typed. `is_kept`: it stays theirs meanwhile."""
    found = select(Person).where(Person.address == address.strip().lower())
    return session.scalar(found.with_for_update(read=True) if is_kept else found)


def take_turns(session: Session) -> None:
    """Until this transaction ends no other one changes people. What it has read of them stays true."""
    if is_on_postgresql(session):
        # SQLite's writers take turns anyway.
        session.execute(text("LOCK TABLE person IN SHARE ROW EXCLUSIVE MODE"))


def is_operator(person: Person) -> bool:
    """Whether this person is active in people operations."""
    return person.is_active and person.role == Role.PEOPLE_OPERATIONS


def has_other_operator(session: Session, person_ids: Collection[uuid.UUID]) -> bool:
    """Whether anybody but these is active in people operations."""
    return any(
        person_id not in person_ids
        for person_id in session.scalars(
            select(Person.id).where(Person.role == Role.PEOPLE_OPERATIONS, Person.is_active)
        )
    )


def names(session: Session, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The names of these people by id."""
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(list(ids))))
    return dict(rows.all())


def reports_to(session: Session, subject_id: uuid.UUID, manager_id: uuid.UUID) -> bool:
    """Whether the subject stands anywhere below the manager."""
    seen: set[uuid.UUID] = set()
    current: uuid.UUID | None = subject_id
    while current is not None and current not in seen:
        seen.add(current)
        current = session.scalar(select(Person.manager_id).where(Person.id == current))
        if current == manager_id:
            return True
    return False


def chart(session: Session) -> dict[str, str | None]:
    """Whom everybody reports to, by id."""
    rows = session.execute(select(Person.id, Person.manager_id))
    return {str(person): None if manager is None else str(manager) for person, manager in rows}


def everybody_below(session: Session, manager_id: uuid.UUID) -> set[uuid.UUID]:
    """The ids of all for whom `reports_to` says that they stand below the manager."""
    below = select(Person.id).where(Person.manager_id == manager_id).cte("below", recursive=True)
    # UNION, not UNION ALL: a circle of managers comes to an end.
    below = below.union(select(Person.id).where(Person.manager_id == below.c.id))
    return set(session.scalars(select(below.c.id)))
