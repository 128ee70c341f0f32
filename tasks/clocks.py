"""Whether a sweep may do what cannot be undone: not where the clock may have jumped."""

from __future__ import annotations

import structlog

from survey import context
from survey.core.clocks import Sweeps
from survey.services import clocks

log = structlog.get_logger()


def may(sweeps: Sweeps) -> bool:
    """Whether this sweep may go on. People operations are told where it may not, and so is the log."""
    with context.transaction() as session:
        is_believed = clocks.may(session, sweeps, context.clock_reading(), context.kept())
    if not is_believed:
        log.error("clock_doubted", task=sweeps.value)
    return is_believed
