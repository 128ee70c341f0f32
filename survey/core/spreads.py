"""The typical spread of a cycle (s0): how far the ratings within one cell lie apart, from published cells alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from math import ceil

from survey.core import statistics
from survey.core.disclosure import Cell
from survey.core.statistics import Moments

FROM_REVIEWS = 6
"""From so many reviews a cycle has a spread of its own: without the reader's own review five are left (R6)."""


def of_cycle(cells: Iterable[tuple[Hashable, Cell]]) -> Mapping[int, float]:
    """The pooled SD within cells, in scale points, by the number of points of the scale; `cells` name their review.

    Only cells with a published distribution enter: of fewer raters no spread is known. Rounded up to a tenth, so
    that no interval is narrower for it, and so that nobody can subtract reports that they know. A scale
    on which fewer than `FROM_REVIEWS` reviews have such a cell is left out.
    """
    moments: dict[int, list[Moments]] = defaultdict(list)
    reviews: dict[int, set[Hashable]] = defaultdict(set)
    for review, cell in cells:
        if cell.counts is None:
            continue
        moments[len(cell.counts)].append(Moments.of(statistics.ratings_of(cell.counts)))
        reviews[len(cell.counts)].add(review)
    found = {
        points: statistics.pooled_sd(own) for points, own in moments.items() if len(reviews[points]) >= FROM_REVIEWS
    }
    return {points: _rounded_up(spread) for points, spread in found.items() if spread is not None}


def _rounded_up(spread: float) -> float:
    # The last digits of a sum are no reason to go one step higher.
    return ceil(10 * spread - 1e-6) / 10
