"""The worker shows that it works."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.services import canary


@shared_task(name="tasks.canary.sing")
def sing() -> None:
    """Writes the row at which health checks look."""
    with context.transaction() as session:
        canary.sing(session, now=context.now())
