"""What was changed of a person by somebody else: told to them, and kept for their own page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from survey.core.letters import Kind
from survey.store.base import Base, UtcDateTime, random_key
from survey.store.outbox import Mail
from survey.store.people import Person

KEPT = timedelta(days=365)
"""How long the page of a person shows a change."""

AT_ONCE = 1_000


class Field(StrEnum):
    """What decides who reads about a person, so that they are told when it changes."""

    MANAGER = "manager"
    ADDRESS = "address"
    CONFIRMED = "confirmed"  # the address, by an operator in place of its reader


class PersonChange(Base):
    """Another manager or address, or that the address was confirmed.

    A manager stands as an id, so that no name is left of one who is erased.
    """

    __tablename__ = "person_change"
    __table_args__ = (
        CheckConstraint("field IN ('manager', 'address', 'confirmed')", name="field_is_known"),
        Index("ix_person_change_person_id", "person_id"),
        Index("ix_person_change_at", "at"),
    )

    id: Mapped[uuid.UUID] = random_key()
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    field: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class UnconfirmedAddress(Base):
    """A person has another address, and nobody has said yet at the one from before that it is theirs.

    `proven` is the last address that was known to be theirs, `since` the last change after it.
    """

    __tablename__ = "unconfirmed_address"

    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    proven: Mapped[str]
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class AddressLink(Base):
    """The hash of a link that was mailed to the address from before, and that confirms the new one."""

    __tablename__ = "address_link"
    __table_args__ = (Index("ix_address_link_person_id", "person_id"),)

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))


@dataclass(frozen=True)
class Change:
    """A manager (by id, or nothing) or an address that becomes another one."""

    person_id: uuid.UUID
    field: Field
    before: str
    after: str


def manager(person_id: uuid.UUID, before: uuid.UUID | None, after: uuid.UUID | None) -> Change:
    """That a person reports to somebody else, or to nobody."""
    return Change(person_id, Field.MANAGER, str(before or ""), str(after or ""))


def tell(session: Session, changes: Sequence[Change], *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Writes each change down for the page of the person, and a mail that says so; to the old address, too."""
    for start in range(0, len(changes), AT_ONCE):
        some = changes[start : start + AT_ONCE]
        rows = [{"id": uuid.uuid4(), "actor_id": actor_id, "at": now, **_columns(change)} for change in some]
        mails = [
            {"id": uuid.uuid4(), "kind": kind, "person_id": row["person_id"], "reference": row["id"], "due_at": now}
            for row in rows
            for kind in _KINDS[Field(str(row["field"]))]
        ]
        session.execute(insert(PersonChange), rows)
        session.execute(insert(Mail), mails)


_BOTH = (Kind.CHANGED, Kind.ADDRESS_LEFT)
_KINDS = {Field.MANAGER: (Kind.CHANGED,), Field.ADDRESS: _BOTH, Field.CONFIRMED: _BOTH}


def _columns(change: Change) -> dict[str, object]:
    return {
        "person_id": change.person_id,
        "field": change.field,
        "before": change.before,
        "after": change.after,
    }


def forget_old(session: Session, *, now: datetime) -> None:
    """Forgets the changes of more than a year ago."""
    session.execute(delete(PersonChange).where(PersonChange.at < now - KEPT))


def await_word(session: Session, person: Person, before: str, *, actor_id: uuid.UUID | None, now: datetime) -> None:
    """Takes the new address of a person as unconfirmed until a word comes from the one from before.

    Whoever changes their own address does so in a browser in which they are signed in from the old one: that is their
    word, unless the old one was unconfirmed itself. An address that was theirs before needs no word.
    """
    row = session.get(UnconfirmedAddress, person.id)
    if row is None and actor_id == person.id:
        return
    if row is None:
        row = UnconfirmedAddress(person_id=person.id, proven=before)
        session.add(row)
    row.since = now
    session.execute(delete(AddressLink).where(AddressLink.person_id == person.id))
    if row.proven == person.address:
        session.delete(row)
    session.flush()


def unconfirmed(session: Session, person_id: uuid.UUID) -> UnconfirmedAddress | None:
    """What is not confirmed yet of a person's address."""
    return session.scalar(select(UnconfirmedAddress).where(UnconfirmedAddress.person_id == person_id))
