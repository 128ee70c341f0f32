"""Closed rounds are measured, counted and reported: one task per review, so that the work spreads over workers.

Each step looks for itself whether it is due, so that a crash between any two is made good by the next sweep.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from celery import Task, shared_task
from kombu.exceptions import OperationalError

from survey import context
from survey.core.errors import KeyMissing, Unsafe
from survey.services import cycles, publication, tally
from survey.store import base

ENOUGH = timedelta(seconds=60)
"""For so long a task builds reports one by one that failed in their batch."""

log = structlog.get_logger()


@shared_task(name="tasks.tally.sweep")
def sweep() -> int:
    """Has every closed round taken one step on, and finishes those that are through; the value is how many tasks."""
    with context.reading() as session:
        unmeasured = tally.unmeasured(session)
        waiting = tally.waiting(session)
        due = publication.due(session)
    for task, ids in ((measure, unmeasured), (count, waiting)):
        for one in ids:
            _send(task, one)
    batches = sum(_build_all(cycle_id, missing) for cycle_id, missing in due.items())
    if not waiting and not batches:
        finish()
    return len(unmeasured) + len(waiting) + batches


@shared_task(name="tasks.tally.measure")
def measure(cycle_id: str) -> None:
    """Measures how well one round measured, before any of it is counted. Harmless when that was done.

    Where it never ends, the round stays unmeasured, and is counted.
    """
    with context.transaction() as session:
        may_begin = tally.begin_measuring(session, uuid.UUID(cycle_id))
    with context.transaction() as session:
        if may_begin:
            is_news = tally.measure(session, uuid.UUID(cycle_id), context.installation().keyring)
        else:
            log.error("measuring_given_up", cycle=cycle_id)
            is_news = tally.leave_unmeasured(session, uuid.UUID(cycle_id))
    if is_news:
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
    is_news = False
    try:
        with context.transaction() as session:
            is_news = tally.count(session, uuid.UUID(review_id), context.installation().keyring)
    except KeyMissing:
        with context.transaction() as session:
            tally.take_back(session, uuid.UUID(review_id))
        raise
    except Unsafe:
        log.error("auditor_objected", review=review_id)
        with context.transaction() as session:
            tally.object_to(session, uuid.UUID(review_id), now=context.now())
        context.wake("tasks.outbox.sweep")
    # Of the many messages about one review, one at most leads to others: else they would beget each other.
    if is_news:
        _go_on(uuid.UUID(review_id))


@shared_task(name="tasks.tally.build")
def build(cycle_id: str) -> None:
    """Builds a batch of the reports of a counted round, and then those that failed. Harmless when none is missing."""
    about, until = uuid.UUID(cycle_id), context.now() + ENOUGH
    with context.transaction() as session:
        publication.settle(session, about)
    is_over = False
    while not is_over and context.now() < until:
        with context.transaction() as session:
            review_ids = publication.begin(session, about, now=context.now())
        with context.transaction() as session:
            # Where others are left that nobody tried, there is another message about them.
            is_over = publication.build(session, about, review_ids) != 1
    finish()


def _go_on(review_id: uuid.UUID) -> None:
    """After a review is counted: has the reports of its round built, if it was the last one."""
    with context.reading() as session:
        cycle_id = cycles.review(session, review_id).cycle_id
        missing = publication.due(session).get(cycle_id, 0)
    if not _build_all(cycle_id, missing):
        finish()


def _build_all(cycle_id: uuid.UUID, missing: int) -> int:
    """Has so many missing reports of a round built; the value is in how many batches."""
    batches = range(0, missing, publication.BATCH)
    for _ in batches:
        _send(build, cycle_id)
    return len(batches)


def finish() -> None:
    """Destroys the keys of rounds that are through, cleans up, and then says so: a crash has all of it done again."""
    with context.transaction() as session:
        cycle_ids = tally.finish(session)
    if not cycle_ids:
        return
    with context.reading() as session:
        for cycle_id in cycle_ids:
            tally.destroy_key(session, cycle_id, context.installation().keyring)
    base.vacuum(context.installation().engine)
    with context.transaction() as session:
        tally.note_destroyed(session, cycle_ids)


def _send(task: Task, about: uuid.UUID) -> None:
    """Asks for a task about this. Nothing is lost where the broker is away: the next sweep asks again."""
    try:
        task.delay(str(about))
    except OperationalError as error:
        log.warning("doorbell_failed", task=task.name, error=type(error).__name__)
