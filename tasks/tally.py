"""Closed rounds are measured, counted and reported: a task for some reviews at a time, so that workers share the work.

Each step looks for itself whether it is due, so that a crash between any two is made good by the next sweep.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from celery import Task, shared_task
from kombu.exceptions import OperationalError

from survey import context
from survey.core.errors import KeyMissing
from survey.services import keys, publication, tally
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
    for cycle_id in unmeasured:
        _send(measure, cycle_id)
    for reviews in waiting:
        _send(count, *reviews)
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
def count(*review_ids: str) -> None:
    """Counts some reviews of one round together. Harmless when they have been counted.

    Those are set apart to which the auditor objects, and those that were begun too often.
    """
    with context.transaction() as session:
        begun = tally.begin(session, [uuid.UUID(review_id) for review_id in review_ids])
    for review_id in begun.given_up:
        log.error("count_given_up", review=str(review_id))
        with context.transaction() as session:
            tally.set_apart(session, review_id, now=context.now())
    if begun.given_up:
        context.wake("tasks.outbox.sweep")
    if not begun.ready:
        return
    try:
        with context.transaction() as session:
            done = tally.count(session, begun.ready, context.installation().keyring)
    except KeyMissing:
        with context.transaction() as session:
            tally.take_back(session, begun.ready)
        raise
    for review_id in done.objected:
        log.error("auditor_objected", review=str(review_id))
        with context.transaction() as session:
            tally.object_to(session, review_id, now=context.now())
    if done.objected:
        context.wake("tasks.outbox.sweep")
    # Of the many messages about one review, one at most leads to others: else they would beget each other.
    for cycle_id in done.cycles:
        _go_on(cycle_id)


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


def _go_on(cycle_id: uuid.UUID) -> None:
    """After some reviews are counted: has the reports of their round built, if they were the last ones."""
    with context.reading() as session:
        if not publication.is_counted(session, cycle_id):
            return
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
        counted = tally.finish(session)
    if not counted:
        return
    with context.transaction() as session:
        cycle_ids = keys.begin_destroying(session, counted, context.installation().keyring, now=context.now())
    if not cycle_ids:
        return
    with context.reading() as session:
        for cycle_id in cycle_ids:
            tally.destroy_key(session, cycle_id, context.installation().keyring)
    base.vacuum(context.installation().engine)
    with context.transaction() as session:
        tally.note_destroyed(session, cycle_ids)


def _send(task: Task, *about: uuid.UUID) -> None:
    """Asks for a task about this. Nothing is lost where the broker is away: the next sweep asks again."""
    try:
        task.delay(*map(str, about))
    except OperationalError as error:
        log.warning("doorbell_failed", task=task.name, error=type(error).__name__)
