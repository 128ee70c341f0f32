"""Who may read the reports of a cycle, and from when: everybody at once, or managers some days before the subjects."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo

from survey.core import days
from survey.core.access import Standing
from survey.core.cycles import Phase
from survey.core.errors import BadInput

READABLE = (Phase.RELEASED,)
"""The phases in which reports can be read at all. Of an archived cycle they are deleted."""

EVERYBODY = frozenset({Standing.OWN, Standing.MANAGES})
"""Those who may read a report that is held back from nobody."""

MANAGERS = frozenset({Standing.MANAGES})
"""Those who may read a report that is still held back from its subject."""

DAYS = range(1, 31)
"""So many days may lie between managers and subjects."""

DEFAULT_DAYS = 3
MORNING = time(8)


def readers(phase: Phase, *, is_held: bool) -> frozenset[Standing]:
    """Who may read a report of a cycle in this phase. `is_held`: it is held back from the subjects."""
    if phase not in READABLE:
        return frozenset()
    return MANAGERS if is_held else EVERYBODY


def held_until(now: datetime, manager_days: int, zone: tzinfo) -> datetime | None:
    """Until when a cycle that is released now is held back from its subjects; None where it is not.

    Subjects get their report in the morning, not at the hour at which somebody pressed a button. The day is one of
    `zone`, where the cycle is.
    """
    if not manager_days:
        return None
    return days.at_hour(days.local_day(now, zone) + timedelta(days=manager_days), MORNING, zone)


def check_days(chosen: int | None) -> int:
    """`chosen` days, if managers may be so much earlier. Raises `BadInput` otherwise."""
    if chosen is None or chosen not in DAYS:
        raise BadInput(f"Engineers can get their reports {DAYS[0]} to {DAYS[-1]} days after their managers.")
    return chosen
