"""Closed rounds are measured, counted and reported: one task per review, so that the work spreads over workers.

Each step looks for itself whether it is due, so that a crash between any two is made good by the next sweep.
"""

from __future__ import annotations

import uuid

import structlog
from celery import shared_task

from survey import context
from survey.core.errors import KeyMissing, Unsafe
from survey.services import publication, tally
from survey.store import base

log = structlog.get_logger()


@shared_task(name="tasks.tally.sweep")
def sweep() -> int:
    """Has every closed round taken one step on, and finishes those that are through; the value is how many tasks."""
    with context.reading() as session:
        unmeasured = tally.unmeasured(session)
        waiting = tally.waiting(session)
        due = publication.due(session)
    batches = [cycle_id for cycle_id, missing in due.items() for _ in range(0, missing, publication.BATCH)]
    for task, ids in ((measure, unmeasured), (count, waiting), (build, batches)):
        for one in ids:
            task.delay(str(one))
    if not waiting and not batches:
        finish()
    return len(unmeasured) + len(waiting) + len(batches)


@shared_task(name="tasks.tally.measure")
def measure(cycle_id: str) -> None:
    """Measures how well one round measured, before any of it is counted. Harmless when that was done.

    Where it never ends, the round stays unmeasured, and is counted.
    """
    with context.transaction() as session:
        may_begin = tally.begin_measuring(session, uuid.UUID(cycle_id))
    with context.transaction() as session:
        if may_begin:
            tally.measure(session, uuid.UUID(cycle_id), context.installation().keyring)
        else:
            log.error("measuring_given_up", cycle=cycle_id)
            tally.leave_unmeasured(session, uuid.UUID(cycle_id))
    context.wake("tasks.tally.sweep")


@shared_task(name="tasks.tally.count")
def count(review_id: str) -> None:
    """Counts one review. Harmless when it has been counted. Set apart where the auditor objects, or it never ends."""
    with context.transaction() as session:
        may_begin = tally.begin(session, uuid.UUID(review_id))
    if not may_begin:
        log.error("count_given_up", review=review_id)
        with context.transaction() as session:
            tally.set_apart(session, uuid.UUID(review_id), now=context.now())
        context.wake("tasks.outbox.sweep")
        return
    try:
        with context.transaction() as session:
            tally.count(session, uuid.UUID(review_id), context.installation().keyring)
    except KeyMissing:
        with context.transaction() as session:
            tally.take_back(session, uuid.UUID(review_id))
        raise
    except Unsafe:
        log.error("auditor_objected", review=review_id)
        with context.transaction() as session:
            tally.object_to(session, uuid.UUID(review_id), now=context.now())
        context.wake("tasks.outbox.sweep")
    with context.reading() as session:
        is_last = bool(publication.due(session))
    if is_last:
        context.wake("tasks.tally.sweep")
    else:
        finish()


@shared_task(name="tasks.tally.build")
def build(cycle_id: str) -> None:
    """Builds one batch of the reports of a counted round. Harmless when none is missing."""
    with context.transaction() as session:
        publication.settle(session, uuid.UUID(cycle_id))
    with context.transaction() as session:
        publication.build(session, uuid.UUID(cycle_id))
    finish()


def finish() -> None:
    """Destroys the keys of rounds that are through, each in the order that survives a crash; then cleans up."""
    with context.transaction() as session:
        cycle_ids = tally.finish(session)
    for cycle_id in cycle_ids:
        with context.transaction() as session:
            tally.destroy_key(session, cycle_id, context.installation().keyring)
    if cycle_ids:
        base.vacuum(context.installation().engine)
