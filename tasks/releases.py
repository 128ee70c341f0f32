"""Reports that managers read first are given to the engineers on their day."""

from __future__ import annotations

import uuid
from datetime import datetime

import structlog
from celery import shared_task

from survey import context
from survey.core.clocks import Sweeps
from survey.core.errors import IllegalStep
from survey.services import releases
from tasks import clocks

log = structlog.get_logger()


@shared_task(name="tasks.releases.sweep")
def sweep() -> int:
    """Releases what is due to the engineers; the value is how many rounds that were."""
    if not clocks.may(Sweeps.STEPS):
        return 0
    now = context.now()
    with context.reading() as session:
        due = releases.due(session, now=now)
    released = sum(_release(cycle_id, now) for cycle_id in due)
    with context.transaction() as session:
        given = releases.give_unread(session, now=now)
    if released or given:
        context.wake("tasks.outbox.sweep")
    return released


def _release(cycle_id: uuid.UUID, now: datetime) -> bool:
    """Whether it was this task that released it: somebody may have done so by hand a moment ago."""
    with context.transaction() as session:
        may_begin = releases.begin(session, cycle_id, now=now)
    if not may_begin:
        log.error("release_given_up", cycle=str(cycle_id))
        context.wake("tasks.outbox.sweep")
        return False
    try:
        with context.transaction() as session:
            releases.to_subjects(session, cycle_id, actor_id=None, now=now)
    except IllegalStep:
        return False
    return True
