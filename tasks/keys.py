"""The worker looks whether the keys of rounds are where they should be."""

from __future__ import annotations

import structlog
from celery import shared_task

from survey import context
from survey.core.errors import CopyOfKeys, KeysElsewhere
from survey.services import keys

log = structlog.get_logger()


@shared_task(name="tasks.keys.watch")
def watch() -> int:
    """Changes the mark of the directory and looks for missing keys; the value is of how many rounds people are told.

    Where the directory is a copy, this worker has nothing to say about keys: those that use the other one look there.
    """
    is_ours = True
    try:
        with context.transaction() as session:
            keys.turn(session, context.installation().keyring)
    except CopyOfKeys as error:
        log.error("keys_are_a_copy", error=type(error).__name__)
        with context.transaction() as session:
            keys.note_copy(session, now=context.now())
        return 0
    except KeysElsewhere as error:
        log.error("keys_elsewhere", error=type(error).__name__)
        is_ours = False
    with context.transaction() as session:
        told = keys.watch(session, context.installation().keyring, is_ours=is_ours, now=context.now())
    if told:
        context.wake("tasks.outbox.sweep")
    return len(told)
