"""Rounds whose end has come are closed."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.services import cycles


@shared_task(name="tasks.cycles.close_due")
def close_due() -> int:
    """Closes what is due and has it counted; the value is how many rounds were closed."""
    with context.transaction() as session:
        closed = cycles.close_due(session, now=context.now())
    if closed:
        context.wake("tasks.tally.sweep")
    return len(closed)
