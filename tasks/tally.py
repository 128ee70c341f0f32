"""Closed rounds are counted: one task per review, so that the work spreads over workers."""

from __future__ import annotations

import uuid

import structlog
from celery import shared_task

from survey import context
from survey.core.errors import Unsafe
from survey.services import tally
from survey.store import base

log = structlog.get_logger()


@shared_task(name="tasks.tally.sweep")
def sweep() -> int:
    """Has every uncounted review counted, and finishes the rounds that are; the value is how many were waiting."""
    with context.reading() as session:
        waiting = tally.waiting(session)
    for review_id in waiting:
        count.delay(str(review_id))
    if not waiting:
        finish()
    return len(waiting)


@shared_task(name="tasks.tally.count")
def count(review_id: str) -> None:
    """Counts one review. Harmless when it has been counted. Where the auditor objects, it is set apart."""
    try:
        with context.transaction() as session:
            tally.count(session, uuid.UUID(review_id), context.installation().keyring)
    except Unsafe:
        log.error("auditor_objected", review=review_id)
        with context.transaction() as session:
            tally.object_to(session, uuid.UUID(review_id), now=context.now())
        context.wake("tasks.outbox.sweep")
    finish()


def finish() -> None:
    """Destroys the keys of rounds that are counted, each in the order that survives a crash; then cleans up."""
    with context.transaction() as session:
        cycle_ids = tally.finish(session)
    for cycle_id in cycle_ids:
        with context.transaction() as session:
            tally.destroy_key(session, cycle_id, context.installation().keyring)
    if cycle_ids:
        base.vacuum(context.installation().engine)
