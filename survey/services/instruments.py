"""Reading how well a round measured. What is read here was made before the count, and is about nobody."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from survey.core import values
from survey.core.cycles import Phase
from survey.core.errors import NotFound
from survey.core.measurements import Measurement
from survey.store.cycles import Cycle, Review
from survey.store.instruments import Instrument

READABLE = (Phase.RELEASED, Phase.ARCHIVED)
"""These figures name nobody, and outlive the reports."""


@dataclass(frozen=True)
class View:
    """How a released round measured; `measurement` is None where there are no figures."""

    cycle_id: uuid.UUID
    cycle: str
    subjects: int
    measurement: Measurement | None


def read(session: Session, cycle_id: uuid.UUID) -> View:
    """The figures of a released round. Raises `NotFound` before its release."""
    row = session.execute(
        select(Cycle.name, Instrument.body, func.count(Review.id))
        .select_from(Cycle)
        .join(Review, Review.cycle_id == Cycle.id)
        .outerjoin(Instrument, Instrument.cycle_id == Cycle.id)
        .where(Cycle.id == cycle_id, Cycle.phase.in_(READABLE))
        .group_by(Cycle.id, Instrument.cycle_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such round, or its reports have not been released yet.")
    name, body, subjects = row
    return View(cycle_id, name, subjects, None if body is None else values.load(Measurement, body))
