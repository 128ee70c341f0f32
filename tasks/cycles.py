"""Rounds whose day has come are opened, choices that nobody touched are approved, and rounds that end are closed."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import structlog
from celery import shared_task

from survey import context
from survey.core.clocks import Sweeps
from survey.core.errors import BadInput
from survey.services import cycles, nominations, openings
from tasks import clocks

ENOUGH = timedelta(seconds=20)
"""For so long a task opens reviews, so that mail need not wait until a large round is open."""

log = structlog.get_logger()


@shared_task(name="tasks.cycles.close_due")
def close_due() -> int:
    """Closes what is due and has it counted; the value is how many rounds were closed."""
    if not clocks.may(Sweeps.STEPS):
        return 0
    with context.reading() as session:
        due = cycles.due_to_close(session, now=context.now())
    closed = sum(_close(cycle_id) for cycle_id in due)
    if closed:
        context.wake("tasks.tally.sweep")
    return closed


@shared_task(name="tasks.cycles.open_due")
def open_due() -> int:
    """Approves what silence approves, and begins to open what is due; the value is how many rounds were begun."""
    if not clocks.may(Sweeps.STEPS):
        return 0
    now = context.now()
    with context.transaction() as session:
        nominations.approve_silent(session, now=now)
    with context.transaction() as session:
        begun = cycles.open_due(session, context.installation().keyring, now=now)
    if begun:
        context.wake("tasks.cycles.go_on_opening")
    return len(begun)


@shared_task(name="tasks.cycles.go_on_opening")
def go_on_opening() -> int:
    """Opens what is being opened, portion by portion; the value is how many rounds are open now.

    Where the time is up, the next task goes on; and so it does where this one was killed.
    """
    until = context.now() + ENOUGH
    with context.reading() as session:
        due = openings.due(session)
    opened = 0
    for cycle_id in due:
        with context.transaction() as session:
            may_begin = openings.begin(session, cycle_id, now=context.now())
        if not may_begin:
            log.error("opening_given_up", cycle=str(cycle_id))
            context.wake("tasks.outbox.sweep")
            continue
        try:
            opened += _open(cycle_id, until)
        except BadInput:
            with context.transaction() as session:
                openings.refuse(session, cycle_id, now=context.now())
            context.wake("tasks.outbox.sweep")
        if context.now() >= until:
            context.wake("tasks.cycles.go_on_opening")
            break
    if opened:
        context.wake("tasks.outbox.sweep")
    return opened


def _close(cycle_id: uuid.UUID) -> bool:
    with context.transaction() as session:
        may_begin = cycles.begin_closing(session, cycle_id, now=context.now())
    if not may_begin:
        log.error("closing_given_up", cycle=str(cycle_id))
        context.wake("tasks.outbox.sweep")
        return False
    with context.transaction() as session:
        return cycles.close_due(session, cycle_id, now=context.now())


def _open(cycle_id: uuid.UUID, until: datetime) -> bool:
    """Goes on with one round; whether it is open now. Each portion is a transaction of its own."""
    with context.reading() as session:
        unopened = openings.unopened(session, cycle_id)
    for start in range(0, len(unopened), openings.PORTION):
        if context.now() >= until:
            return False
        with context.transaction() as session:
            if not openings.go_on(session, cycle_id, unopened[start : start + openings.PORTION]):
                return False
    parts = context.installation()
    with context.transaction() as session:
        return openings.finish(session, cycle_id, parts.keyring, pace=parts.pace, now=context.now())
