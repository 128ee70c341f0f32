"""Files of people that nobody confirmed are forgotten."""

from __future__ import annotations

from celery import shared_task

from survey import context
from survey.services import imports


@shared_task(name="tasks.people.forget_files")
def forget_files() -> None:
    """Forgets the files whose hour is over."""
    with context.transaction() as session:
        imports.forget_old(session, now=context.now())
