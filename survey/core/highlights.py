"""The few rows that a report begins with: what is worth talking about, and what is strong beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

from survey.core.labels import Perception, Spread, Standing
from survey.core.rows import Row

AT_MOST = 3
"""How many talking points, and how many strengths, a report names."""

_DIRECTIONS = frozenset({Perception.HIGHER, Perception.LOWER})


def talking_points(rows: Sequence[Row]) -> tuple[str, ...]:
    """The items of at most three rows: first what the engineer sees higher than others do, then what others find
    weak, then what divides them, then what is seen lower; the widest gap first.
    """
    worth = [row for row in rows if _urgency(row) is not None]
    return tuple(row.item for row in sorted(worth, key=lambda row: (_urgency(row) or 0, -row.distance))[:AT_MOST])


def strengths(rows: Sequence[Row]) -> tuple[str, ...]:
    """The items of at most three rows that others find strong, the highest first."""
    strong = [row for row in rows if row.standing is Standing.STRENGTH]
    return tuple(row.item for row in sorted(strong, key=lambda row: -row.height)[:AT_MOST])


def _urgency(row: Row) -> int | None:
    if row.perception is Perception.HIGHER:
        return 0
    if row.standing is Standing.DEVELOPMENT:
        return 1
    if row.lead and row.lead.spread is Spread.TWO_CAMPS:
        return 2
    return 3 if row.perception in _DIRECTIONS else None
