"""Whether few raters lie far apart: all that is said of their spread, and only where it tells of nobody.

Below six raters a figure is the mean, with an interval as wide as ratings in this round usually lie
apart. A group in two camps deserves a wider one. For some means one bit can say so: the sets of ratings
with that mean are cut in two by their sum of squares, so that on both sides everybody who sees the bit,
raters too, is left with at least two sets of what the others may have rated. Where no such cut exists,
nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from math import sqrt

from survey.core.statistics import Moments, length, mean

FAR_APART = 1.3
"""From so many points between ratings (an SD, on five points) a group may be called far apart."""

_Ratings = tuple[int, ...]


@dataclass(frozen=True)
class Cut:
    """For one mean: the sum of squares from which a group is far apart, and the usual SD of such groups."""

    squares: int
    spread: float


def are_far_apart(ratings: Sequence[int], points: int) -> bool:
    """The bit that is published of these few ratings: they lie far apart, and it can be said."""
    cut = cuts(len(ratings), points).get(sum(ratings))
    return cut is not None and _squares(ratings) >= cut.squares


def spread(n: int, total: int, points: int) -> float:
    """The usual SD of groups with this mean that are called far apart."""
    return cuts(n, points)[total].spread


@cache
def cuts(n: int, points: int) -> Mapping[int, Cut]:
    """The cut of each total of `n` ratings that has one: the lowest that tells of nobody."""
    by_total: dict[int, list[_Ratings]] = {}
    for ratings in combinations_with_replacement(range(1, points + 1), n):
        by_total.setdefault(sum(ratings), []).append(ratings)
    found = {total: _cut(possible, points) for total, possible in by_total.items()}
    return {total: cut for total, cut in found.items() if cut is not None}


def _cut(possible: Sequence[_Ratings], points: int) -> Cut | None:
    """The lowest cut of these sets, which have one total, that leaves everybody in doubt on both sides."""
    for squares in sorted({_squares(ratings) for ratings in possible}):
        near = [ratings for ratings in possible if _squares(ratings) < squares]
        far = [ratings for ratings in possible if _squares(ratings) >= squares]
        least = min(_variance(ratings) for ratings in far)
        if sqrt(least) >= length(FAR_APART, points) and _leaves_doubt(near) and _leaves_doubt(far):
            return Cut(squares, sqrt(mean(_variance(ratings) for ratings in far)))
    return None


def _leaves_doubt(possible: Collection[_Ratings]) -> bool:
    """Whether nobody, whatever they rated themselves, knows the set of the others' ratings."""
    others: dict[int, set[_Ratings]] = {}
    for ratings in possible:
        for own in ratings:
            at = ratings.index(own)
            others.setdefault(own, set()).add(ratings[:at] + ratings[at + 1 :])
    return bool(others) and all(len(left) > 1 for left in others.values())


def _squares(ratings: Sequence[int]) -> int:
    return sum(rating * rating for rating in ratings)


def _variance(ratings: Sequence[int]) -> float:
    variance = Moments.of(ratings).variance
    assert variance is not None  # noqa: S101 - no minimum is below three
    return variance
