"""Rounds whose day has come are opened, choices that nobody touched are approved, and rounds that end are closed."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.services import cycles, nominations


@shared_task(name="tasks.cycles.close_due")
def close_due() -> int:
    """Closes what is due and has it counted; the value is how many rounds were closed."""
    with context.transaction() as session:
        closed = cycles.close_due(session, now=context.now())
    if closed:
        context.wake("tasks.tally.sweep")
    return len(closed)


@shared_task(name="tasks.cycles.open_due")
def open_due() -> int:
    """Approves what silence approves, and opens what is due; the value is how many rounds were opened."""
    now, parts = context.now(), context.installation()
    with context.transaction() as session:
        nominations.approve_silent(session, now=now)
    with context.transaction() as session:
        opened = cycles.open_due(session, parts.keyring, pace=parts.pace, now=now)
    if opened:
        context.wake("tasks.outbox.sweep")
    return len(opened)
