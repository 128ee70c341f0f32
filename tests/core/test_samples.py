"""What may be reckoned with of a published cell: its own spread from six raters on, the usual one below."""

from __future__ import annotations

import pytest

from survey.core import camps, samples, statistics
from survey.core.disclosure import Band, Cell, Group
from survey.core.statistics import Few, Moments


def test_from_six_raters_on_the_distribution_counts():
    cell = Cell("1", Group.PEER, 6, 20, (0, 1, 2, 3, 0))

    assert samples.of(cell, 5, 0.7) == Moments.of([2, 3, 3, 4, 4, 4])
    assert samples.interval(samples.of(cell, 5, 0.7), 5, 0.7) == statistics.interval_of_mean(
        [2, 3, 3, 4, 4, 4], pooled_sd=0.7
    )


@pytest.mark.parametrize(
    ("points", "typical", "spread"), [(5, None, 0.9), (5, 0.6, 0.6), (9, None, 1.8), (3, None, 0.45)]
)
def test_of_fewer_the_usual_spread_counts_and_stretches_with_the_scale(points, typical, spread):
    assert samples.of(Cell("1", Group.PEER, 4, 8), points, typical) == Few(4, 2.0, spread)


def test_groups_that_are_far_apart_have_the_spread_of_such_groups_and_never_less_than_the_usual_one():
    cell = Cell("1", Group.PEER, 4, 12, is_far_apart=True)
    usual = camps.spread(4, 12, 5)

    assert usual == pytest.approx(((16 + 10 + 8 + 6 + 6) / 3 / 5) ** 0.5)  # 1155, 1245, 1335, 1344 and 2235
    assert samples.of(cell, 5, None) == Few(4, 3.0, usual)
    assert samples.of(cell, 5, 2.5) == Few(4, 3.0, 2.5)


def test_a_band_has_no_mean():
    assert samples.of(Cell("1", Group.PEER, 4, band=Band.HIGH), 5, None) is None
