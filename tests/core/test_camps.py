"""The one bit that is said of how few raters differ."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from survey.core import camps


def test_on_five_points_it_can_be_said_in_the_middle_alone():
    assert camps.cuts(3, 5) == {}
    assert camps.cuts(4, 5).keys() == {12}
    assert camps.cuts(5, 5).keys() == {12, 13, 15, 17, 18}


@pytest.mark.parametrize(
    ("ratings", "are_far_apart"),
    [
        ((3, 3, 3, 3), False),
        ((2, 2, 4, 4), False),
        ((1, 3, 3, 5), True),
        ((1, 1, 5, 5), True),
        ((1, 1, 5, 5, 3), True),
        ((1, 3, 3, 3, 5), False),
        ((1, 1, 4, 4), False),  # at this mean nothing can be said
    ],
)
def test_who_is_far_apart(ratings, are_far_apart):
    assert camps.are_far_apart(ratings, 5) is are_far_apart


@pytest.mark.parametrize("points", range(2, 11))
@pytest.mark.parametrize("n", [3, 4, 5])
def test_everybody_far_apart_differs_more_than_all_who_are_not(n, points):
    for total, cut in camps.cuts(n, points).items():
        possible = [one for one in combinations_with_replacement(range(1, points + 1), n) if sum(one) == total]
        far = [sum(r * r for r in one) for one in possible if camps.are_far_apart(one, points)]
        near = [sum(r * r for r in one) for one in possible if not camps.are_far_apart(one, points)]
        assert max(near) < cut.squares == min(far)
        assert cut.spread >= 1.3 * (points - 1) / 4
