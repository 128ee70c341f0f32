"""The box is shaken while people answer, so that one copy of the database links a handful of them at most."""

from __future__ import annotations

import uuid

import structlog
from celery import shared_task

from survey import context
from survey.services import shakes
from survey.store import base

log = structlog.get_logger()


@shared_task(name="tasks.shakes.sweep")
def sweep(at_least: int = 1) -> int:
    """Shakes the box if so many answers came since the last time; the value is how many reviews were shaken.

    A crash or a reader in the way, at any step, leaves it unnoted: the next sweep does it again.
    """
    with context.reading() as session:
        due = shakes.due(session, at_least=at_least)
    shaken: dict[uuid.UUID, int] = {}
    for review_ids in due:
        with context.transaction() as session:
            shaken |= shakes.shake(session, review_ids)
    if not shaken:
        return 0
    if not base.clean_up(context.installation().engine):
        log.info("shake_not_cleaned")
        return 0
    with context.transaction() as session:
        shakes.note(session, shaken)
    return len(shaken)
