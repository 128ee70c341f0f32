"""The typical spread of a cycle, from published distributions alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import spreads
from survey.core.disclosure import Band, Cell, Group

ratings = st.lists(st.integers(1, 5), min_size=6, max_size=9)


@given(st.lists(ratings, min_size=6, max_size=12))
def test_it_is_the_pooled_spread_within_the_cells_rounded_up_to_a_tenth(groups):
    # By hand: squares around each cell's own mean, over all degrees of freedom.
    squares = sum(sum((one - sum(own) / len(own)) ** 2 for one in own) for own in groups)
    pooled = math.sqrt(squares / sum(len(own) - 1 for own in groups))

    found = spreads.of_cycle(enumerate(cell(own) for own in groups))

    if squares < 1e-9:
        assert found == {}
    else:
        assert pooled - 1e-6 <= found[5] < pooled + 0.1 + 1e-6
        assert found[5] == pytest.approx(round(found[5], 1))


def test_five_reviews_are_too_few_and_many_cells_of_one_review_count_as_one():
    five = [(number, cell([1, 2, 3, 4, 5, 3])) for number in range(5)]
    assert spreads.of_cycle(five) == {}
    assert spreads.of_cycle([*five, *five]) == {}
    assert spreads.of_cycle([*five, (5, cell([3, 3, 3, 3, 3, 3]))]).keys() == {5}


def test_what_few_said_what_is_hidden_in_a_band_and_what_one_person_said_does_not_enter():
    exact = [(number, cell([2, 3, 3, 4, 4, 5])) for number in range(6)]
    others = [
        (7, Cell("1.b.1", Group.PEER, 4, 12, is_far_apart=True)),
        (8, Cell("1.b.1", Group.PEER, 4, band=Band.HIGH)),
        (9, Cell("1.b.1", Group.MANAGER, 1, 5)),
    ]
    assert spreads.of_cycle([*exact, *others]) == spreads.of_cycle(exact)


def test_scales_of_different_length_have_spreads_of_their_own():
    mixed = [(number, cell([2, 3, 3, 4, 4, 5])) for number in range(6)]
    mixed += [(number, cell([1, 1, 2, 2, 2, 2], points=2)) for number in range(6)]
    assert spreads.of_cycle(mixed) == {5: 1.1, 2: 0.6}


def test_a_cycle_in_which_every_cell_is_unanimous_has_no_spread_of_its_own():
    assert spreads.of_cycle([(number, cell([4] * 6)) for number in range(9)]) == {}


def cell(own, points=5):
    counts = tuple(own.count(point) for point in range(1, points + 1))
    return Cell("1.b.1", Group.PEER, len(own), sum(own), counts)
