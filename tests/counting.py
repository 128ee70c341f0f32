"""What the tasks of the tally do with everything that is closed, one step after the other, without a queue."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Session

from survey import context
from survey.services import keys, publication, tally


def count() -> None:
    """Measures, counts, builds the reports, and destroys the keys."""
    keyring = context.installation().keyring
    with context.reading() as session:
        unmeasured = tally.unmeasured(session)
    for cycle_id in unmeasured:
        with context.transaction() as session:
            tally.measure(session, cycle_id, keyring)
    with context.reading() as session:
        waiting = tally.waiting(session)
    for review_ids in waiting:
        with context.transaction() as session:
            tally.count(session, review_ids, keyring)
    build()
    with context.transaction() as session:
        finished = keys.begin_destroying(session, tally.finish(session), keyring, now=context.now())
        for cycle_id in finished:
            tally.destroy_key(session, cycle_id, keyring)
        tally.note_destroyed(session, finished)


def build() -> None:
    """Builds the reports of what is counted."""
    with context.reading() as session:
        due = publication.due(session)
    for cycle_id in due:
        with context.transaction() as session:
            publication.settle(session, cycle_id)
        with context.transaction() as session:
            some(session, cycle_id, limit=10_000)


def some(session: Session, cycle_id: uuid.UUID, *, limit: int = publication.BATCH) -> int:
    """Builds so many reports in one transaction; the value is how many there were to build."""
    return publication.build(session, cycle_id, publication.begin(session, cycle_id, limit=limit, now=context.now()))
