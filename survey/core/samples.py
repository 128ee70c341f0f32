"""What may be reckoned with of a published cell: from six raters on its own spread, below that the usual one."""

from __future__ import annotations

from survey.core import camps, statistics
from survey.core.disclosure import Cell
from survey.core.statistics import Few, Interval, Moments, Sample


def of(cell: Cell, points: int, typical: float | None) -> Sample | None:
    """The mean of a cell with the spread that may be said of it; None behind a band.

    `typical` is the spread of the round on scales of this length; None takes the usual one.
    """
    if cell.counts is not None:
        return Moments.of(statistics.ratings_of(cell.counts))
    if cell.total is None:
        return None
    usual = usual_spread(points, typical)
    if cell.is_far_apart:
        usual = max(usual, camps.spread(cell.n, cell.total, points))
    return Few(cell.n, cell.total / cell.n, usual)


def interval(sample: Sample, points: int, typical: float | None) -> Interval:
    """The interval of the mean of a cell."""
    if isinstance(sample, Moments):
        found = statistics.interval_from(sample, points=points, pooled_sd=typical)
    else:
        found = statistics.plain_interval(sample)
    assert found is not None  # noqa: S101 - a cell has more than one rating
    return found


def usual_spread(points: int, typical: float | None) -> float:
    """The spread of the round, or where it has none of its own the usual one for this scale."""
    return statistics.length(statistics.TYPICAL_SD, points) if typical is None else typical
