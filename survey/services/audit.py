"""Reading the audit log, and checking that it is whole."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from survey.core import audit
from survey.core.audit import Entry, Event, Head, Verdict
from survey.store import people
from survey.store.audit import AuditEntry, read
from survey.store.cycles import Cycle, Review
from survey.store.people import Person

AT_ONCE = 1000


def newest(
    session: Session, *, limit: int = 200, before: int | None = None, event: Event | None = None
) -> Sequence[Entry]:
    """The newest entries first; `before` names the entry to go on from, `event` the only one to show."""
    entries = select(AuditEntry).order_by(AuditEntry.number.desc()).limit(limit)
    if before is not None:
        entries = entries.where(AuditEntry.number < before)
    if event is not None:
        entries = entries.where(AuditEntry.event == event)
    return read(session, entries)


def names(session: Session, ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, str]:
    """What these people, rounds and reviews are called today. Whatever is not here any more is not in the value."""
    cycles = session.execute(select(Cycle.id, Cycle.name).where(Cycle.id.in_(ids)))
    reviews = session.execute(
        select(Review.id, Person.name, Cycle.name)
        .join(Person, Person.id == Review.subject_id)
        .join(Cycle, Cycle.id == Review.cycle_id)
        .where(Review.id.in_(ids))
    )
    return (
        people.names(session, ids)
        | dict(cycles.all())
        | {review_id: f"{subject}, in {cycle}" for review_id, subject, cycle in reviews}
    )


def verify(session: Session, *, kept: Head | None = None) -> Verdict:
    """Whether the log is whole, from the first entry on, and still has the head that was `kept` elsewhere."""
    return audit.examine(_all(session), kept=kept)


def _all(session: Session) -> Iterator[Entry]:
    """Every entry in order, a thousand in memory at a time."""
    entries = select(AuditEntry).order_by(AuditEntry.number).limit(AT_ONCE)
    some = read(session, entries)
    while some:
        yield from some
        some = read(session, entries.where(AuditEntry.number > some[-1].number))
