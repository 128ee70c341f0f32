"""The rule for fewer than six raters before ADR 0035, kept to be measured beside the one that took its place.

The spread of a cell was published, rounded up until nobody was certain of another's rating.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations_with_replacement

Ratings = tuple[int, ...]


@cache
def rounded_squares(n: int, points: int) -> Mapping[tuple[int, int], int]:
    """The sum of squares that was published, for each total and sum of squares that `n` ratings can have."""
    by_total: dict[int, dict[int, list[Ratings]]] = {}
    for ratings in combinations_with_replacement(range(1, points + 1), n):
        squares = sum(rating * rating for rating in ratings)
        by_total.setdefault(sum(ratings), {}).setdefault(squares, []).append(ratings)
    rounded: dict[tuple[int, int], int] = {}
    for total, by_squares in by_total.items():
        known = _certain([ratings for alike in by_squares.values() for ratings in alike])
        steps: list[list[int]] = [[]]
        for squares in sorted(by_squares):
            steps[-1].append(squares)
            if _certain([ratings for step in steps[-1] for ratings in by_squares[step]]) <= known:
                steps.append([])
        *whole, rest = steps
        while rest and _certain([ratings for step in rest for ratings in by_squares[step]]) - known:
            rest = whole.pop() + rest
        rounded |= {(total, squares): step[-1] for step in [*whole, rest] for squares in step}
    return rounded


def _certain(possible: Sequence[Ratings]) -> set[int]:
    """The ratings whose giver knows what everybody else rated, when these are all that is possible."""
    others: dict[int, set[Ratings]] = {}
    for ratings in possible:
        for own in ratings:
            at = ratings.index(own)
            others.setdefault(own, set()).add(ratings[:at] + ratings[at + 1 :])
    return {own for own, left in others.items() if len(left) == 1 and len(set(*left)) == 1}
