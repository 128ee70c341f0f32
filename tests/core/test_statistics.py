import math
from collections.abc import Iterator

import numpy as np
import pingouin
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from survey.core import disclosure, statistics
from survey.core.statistics import Few, Interval, Moments

points = st.integers(1, 5)
cells = st.lists(points, min_size=2, max_size=12)


# Reference vectors


def test_the_gap_is_the_self_rating_minus_the_mean_of_the_others():
    assert statistics.gap(4, [3, 4, 2, 3]) == 1


def test_the_plain_interval_of_the_gap_is_that_of_student():
    plain = statistics.gap_interval(4, statistics.plain_interval(Moments.of([3, 4, 2, 3])))

    assert [round(plain.low, 7), round(plain.high, 7)] == [-0.2992283, 2.2992283]


def test_the_moderated_interval_of_the_gap_borrows_four_ratings_worth_of_spread():
    moderated = statistics.gap_interval(4, statistics.moderated_interval(Moments.of([3, 4, 2, 3])))

    assert [round(moderated.low, 4), round(moderated.high, 4)] == [-0.0229, 2.0229]


def test_four_equal_ratings_still_leave_four_fifths_of_a_point_to_either_side():
    interval = statistics.interval_of_mean([4, 4, 4, 4])

    assert round(interval.half_width, 6) == 0.804370
    assert (interval.low + interval.high) / 2 == 4


@pytest.mark.parametrize(
    ("ratings", "r_wg", "average_deviation"),
    [
        ([4, 3, 2], 0.5, 0.6666667),
        ([3, 4, 3], 0.8333333, 0.4444444),
        ([3, 3], 1, 0),
        ([3, 2, 1], 0.5, 0.6666667),
    ],
)
def test_agreement_on_one_item_matches_the_reference(ratings, r_wg, average_deviation):
    assert round(statistics.r_wg(ratings), 7) == r_wg
    assert round(statistics.average_deviation(ratings), 7) == average_deviation


def test_agreement_over_parallel_items_matches_the_reference():
    raters = [[3, 4, 3, 4, 4], [4, 4, 3, 4, 4], [3, 3, 2, 2, 1]]

    items = [Moments.of(item) for item in zip(*raters, strict=True)]

    assert round(statistics.r_wg_j(items), 7) == 0.8139535


@pytest.mark.parametrize(("ratings", "expected"), [([1, 1, 5, 5], 1), ([1, 3, 3, 5], 0.7071), ([4, 4, 4, 4], 0)])
def test_polarisation_matches_the_reference(ratings, expected):
    assert round(statistics.polarisation(ratings), 4) == expected


@pytest.mark.parametrize(("n", "half_width"), [(3, 1.198235), (4, 1.037702), (5, 0.928149)])
def test_of_few_the_interval_is_that_of_the_usual_spread_with_eight_degrees_of_freedom(n, half_width):
    interval = statistics.plain_interval(Few(n, 3.0, 0.9))

    assert round(interval.half_width, 6) == half_width
    assert (interval.low, interval.high) == pytest.approx(stats.t.interval(0.95, 8, 3.0, 0.9 / math.sqrt(n)))


# The same figures from other people's programs


@given(cells)
def test_the_plain_interval_is_that_of_scipy(ratings):
    assume(len(set(ratings)) > 1)
    theirs = stats.ttest_1samp(ratings, 0).confidence_interval(0.9)

    ours = statistics.plain_interval(Moments.of(ratings), level=0.9)

    assert (ours.low, ours.high) == pytest.approx(theirs)


@given(cells, st.floats(0.2, 2))
def test_the_moderated_interval_is_that_of_a_variance_averaged_by_degrees_of_freedom(ratings, sd):
    own = np.var(ratings, ddof=1)
    variance = np.average([sd**2, own], weights=[4, len(ratings) - 1])
    theirs = stats.t.interval(0.95, 3 + len(ratings), np.mean(ratings), math.sqrt(variance / len(ratings)))

    ours = statistics.moderated_interval(Moments.of(ratings), pooled_sd=sd)

    assert (ours.low, ours.high) == pytest.approx(theirs)


@given(cells, cells)
def test_the_change_between_cycles_is_the_interval_of_welch_in_scipy(before, after):
    assume(len(set(before)) > 1 and len(set(after)) > 1)  # scipy warns about a side without spread.
    theirs = stats.ttest_ind(after, before, equal_var=False).confidence_interval()

    ours = statistics.welch_change(Moments.of(before), Moments.of(after))

    assert (ours.low, ours.high) == pytest.approx(theirs, abs=1e-9)


def test_the_change_between_cycles_is_the_interval_of_welch_in_pingouin():
    before, after = [3, 4, 2, 3], [4, 4, 5, 3, 5]
    theirs = pingouin.ttest(after, before, correction=True)["CI95"].iloc[0]

    ours = statistics.welch_change(Moments.of(before), Moments.of(after))

    assert [round(ours.low, 2), round(ours.high, 2)] == list(theirs)


@given(st.integers(6, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_the_one_of_wilson_in_scipy(hits_and_n):
    hits, n = hits_and_n
    theirs = stats.binomtest(hits, n).proportion_ci(method="wilson")

    ours = statistics.wilson(hits, n)

    assert ours.share == hits / n
    assert (ours.interval.low, ours.interval.high) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("hits", "n"), [(0, 21), (0, 37), (16, 16)])
def test_the_interval_of_a_share_ends_at_0_and_1_in_spite_of_rounding(hits, n):
    interval = statistics.wilson(hits, n).interval

    assert 0 <= interval.low < interval.high <= 1


@given(st.lists(cells, min_size=1, max_size=6))
def test_the_pooled_spread_is_the_residual_spread_around_the_means_of_the_cells(ratings):
    residuals = np.concatenate([np.array(cell) - np.mean(cell) for cell in ratings])
    assume(np.abs(residuals).max() > 0)

    ours = statistics.pooled_sd(Moments.of(cell) for cell in ratings)

    assert ours == pytest.approx(math.sqrt((residuals**2).sum() / (len(residuals) - len(ratings))))


@given(cells)
def test_deviation_and_polarisation_are_those_of_numpy(ratings):
    values = np.array(ratings)

    assert statistics.average_deviation(ratings) == pytest.approx(np.abs(values - values.mean()).mean())
    assert statistics.polarisation(ratings) == pytest.approx(values.std() / 2)


# What must hold for all ratings


@given(cells, st.randoms(use_true_random=False))
def test_the_order_of_ratings_does_not_matter(ratings, random):
    shuffled = list(ratings)
    random.shuffle(shuffled)

    assert figures(shuffled) == figures(ratings)


@given(cells)
def test_sums_and_squares_give_the_same_interval_as_the_ratings(ratings):
    published = Moments(len(ratings), sum(ratings), sum(rating * rating for rating in ratings))

    assert published == Moments.of(ratings)
    assert statistics.interval_from(published) == statistics.interval_of_mean(ratings)


@given(cells)
def test_the_interval_contains_the_mean_and_is_the_wider_of_the_two(ratings):
    cell = Moments.of(ratings)
    plain, moderated = statistics.plain_interval(cell), statistics.moderated_interval(cell)

    interval = statistics.interval_from(cell)

    assert interval.contains(cell.mean)
    assert interval.width == max(plain.width, moderated.width)


@given(cells, st.integers(-4, 4))
def test_a_shift_of_all_ratings_moves_the_interval_along(ratings, shift):
    interval = statistics.interval_of_mean(ratings)
    moved = statistics.interval_of_mean([rating + shift for rating in ratings])

    assert (moved.low, moved.high) == pytest.approx((interval.low + shift, interval.high + shift))


@given(cells, st.data())
def test_widening_the_spread_never_narrows_the_interval(ratings, data):
    low, high = min(ratings), max(ratings)
    lower = data.draw(st.integers(1, low))
    wider = sorted(ratings)
    wider[0], wider[-1] = lower, high + (low - lower)  # The same mean, its two outermost ratings moved apart.

    assert statistics.interval_of_mean(wider).width >= statistics.interval_of_mean(ratings).width - 1e-12


@given(cells, st.floats(0, 2), st.floats(0, 2))
def test_a_calmer_cycle_never_widens_the_interval(ratings, one, other):
    calm, restless = sorted([one, other])

    narrow = statistics.interval_of_mean(ratings, pooled_sd=calm)
    wide = statistics.interval_of_mean(ratings, pooled_sd=restless)

    assert narrow.width <= wide.width


@given(cells, st.integers(2, 6))
def test_more_ratings_of_the_same_kind_narrow_the_interval(ratings, times):
    assert statistics.interval_of_mean(ratings * times).width < statistics.interval_of_mean(ratings).width


@given(cells, st.lists(st.none(), max_size=5), st.randoms(use_true_random=False))
def test_not_observed_changes_nothing_but_the_number_of_ratings(ratings, blanks, random):
    answers = [*ratings, *blanks]
    random.shuffle(answers)

    seen = statistics.observed(answers)

    assert len(seen) == len(answers) - len(blanks)
    assert figures(seen) == figures(ratings)


@given(cells, st.integers(2, 11))
def test_agreement_and_polarisation_stay_between_0_and_1_on_every_scale(ratings, length):
    on_scale = [min(rating, length) for rating in ratings]

    assert 0 <= statistics.r_wg(on_scale, points=length) <= 1
    assert 0 <= statistics.polarisation(on_scale, points=length) <= 1
    assert 0 <= statistics.r_wg_j([Moments.of(on_scale)] * 3, points=length) <= 1


@given(cells)
def test_agreement_over_a_single_item_is_full_only_where_all_ratings_are_equal(ratings):
    assert (statistics.r_wg(ratings) == 1) is (len(set(ratings)) == 1)


def test_agreement_over_items_is_zero_and_not_negative_where_ratings_vary_more_than_blind_ones():
    assert statistics.r_wg([1, 5, 1, 5]) == 0
    assert statistics.r_wg_j([Moments.of([1, 5, 1, 5])] * 5) == 0


@given(st.lists(points, min_size=1, max_size=12))
def test_a_distribution_gives_its_ratings_back(ratings):
    counts = [ratings.count(point) for point in range(1, 6)]

    assert statistics.ratings_of(counts) == sorted(ratings)


# Edges


def test_a_cell_without_a_rating_is_refused():
    with pytest.raises(ValueError, match="without a rating"):
        Moments.of([])


def test_a_single_rating_has_a_mean_and_no_interval():
    cell = Moments.of([4])

    assert cell.mean == 4
    assert statistics.interval_from(cell) is None
    assert statistics.plain_interval(cell) is None
    assert statistics.moderated_interval(cell) is None
    assert statistics.r_wg([4]) is None
    assert statistics.r_wg_j([cell, cell]) is None
    assert statistics.welch_change(cell, Moments.of([3, 4, 5])) is None
    assert statistics.welch_change(Moments.of([3, 4, 5]), cell) is None


def test_two_unanimous_cycles_have_no_interval_of_change():
    assert statistics.welch_change(Moments.of([4, 4, 4, 4]), Moments.of([5, 5, 5, 5])) is None


def test_one_unanimous_cycle_leaves_the_spread_of_the_other():
    change = statistics.welch_change(Moments.of([4, 4, 4, 4]), Moments.of([5, 4, 5, 5]))
    plain = statistics.plain_interval(Moments.of([5, 4, 5, 5]))

    assert (change.low, change.high) == pytest.approx((plain.low - 4, plain.high - 4))


def test_a_cycle_without_any_spread_has_no_pooled_spread():
    assert statistics.pooled_sd([]) is None
    assert statistics.pooled_sd([Moments.of([4]), Moments.of([2])]) is None
    assert statistics.pooled_sd([Moments.of([4, 4, 4]), Moments.of([2, 2])]) is None


def test_a_single_rating_adds_nothing_to_the_pooled_spread():
    assert statistics.pooled_sd([Moments.of([1, 5, 3]), Moments.of([2])]) == 2


def test_the_typical_spread_stretches_with_the_scale():
    five = statistics.moderated_interval(Moments.of([3, 4, 2, 3]), points=5)
    nine = statistics.moderated_interval(Moments.of([5, 7, 3, 5]), points=9)  # Every rating r becomes 2r - 1.

    assert nine.width == pytest.approx(2 * five.width)


def test_clipping_keeps_what_lies_on_the_scale():
    assert Interval(3.2, 5.8).clipped() == Interval(3.2, 5)
    assert Interval(0.4, 2.5).clipped() == Interval(1, 2.5)
    assert Interval(0.4, 8.5).clipped(points=7) == Interval(1, 7)


@given(cells, points)
def test_clipping_never_changes_whether_a_rating_lies_within(ratings, self_rating):
    interval = statistics.interval_of_mean(ratings)

    assert interval.clipped().contains(self_rating) is interval.contains(self_rating)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([3, 4, 5], 4),
        ([3, None, 5, None], 4),
        ([3, None, None], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_a_competency_has_a_mean_when_at_least_half_of_its_items_are_published(items, expected):
    assert statistics.competency_mean(items) == expected


def test_favourable_are_4_and_5_of_five():
    share = statistics.favourable([1, 0, 2, 3, 4])

    assert (share.n, share.share) == (10, 0.7)
    assert share.interval.contains(0.7)


def test_favourable_is_the_other_end_where_more_is_worse():
    turned = statistics.favourable([4, 3, 2, 0, 1], more_is_worse=True)

    assert turned == statistics.favourable([1, 0, 2, 3, 4])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([2, 6], 6),  # No, yes.
        ([1, 1, 6], 6),
        ([1, 1, 1, 5], 5),
        ([1, 1, 1, 1, 1, 2, 3], 5),
    ],
)
def test_favourable_is_the_upper_quarter_of_the_way_on_other_scales(counts, expected):
    assert statistics.favourable(counts).share == expected / sum(counts)


def test_five_raters_have_no_percentage():
    assert statistics.favourable([0, 0, 0, 2, 3]) is None
    assert statistics.favourable([0, 0, 0, 3, 3]).share == 1


def test_words_and_disclosure_agree_from_how_many_raters_a_distribution_is_shown():
    assert statistics.DISTRIBUTION_FROM == disclosure.DISTRIBUTION_FROM


# How often the interval of four ratings holds the mean of all the raters there might have been


@pytest.mark.parametrize(
    ("population", "at_least", "plain_at_most"),
    [
        pytest.param([0.02, 0.08, 0.30, 0.42, 0.18], 0.96, 0.95, id="typical"),
        pytest.param([0.00, 0.02, 0.08, 0.25, 0.65], 0.98, 0.85, id="skewed"),
        pytest.param([0.30, 0.15, 0.10, 0.15, 0.30], 0.86, 0.95, id="polarised"),
    ],
)
def test_the_interval_of_four_ratings_holds_the_true_mean(population, at_least, plain_at_most):
    truth = float(np.dot(population, range(1, 6)))
    draws = np.random.default_rng(360).choice(range(1, 6), size=(4000, 4), p=population).tolist()
    cells = [Moments.of(draw) for draw in draws]

    simulated = np.mean([statistics.interval_from(cell).contains(truth) for cell in cells])
    exact = sum(chance for cell, chance in samples(population, 4) if statistics.interval_from(cell).contains(truth))
    plain = sum(chance for cell, chance in samples(population, 4) if statistics.plain_interval(cell).contains(truth))

    print(f"coverage at n = 4: simulated {simulated:.3f}, exact {exact:.4f}, plain t alone {plain:.4f}")
    assert exact >= at_least
    assert simulated == pytest.approx(exact, abs=0.02)
    assert plain <= plain_at_most


def samples(population: list[float], n: int) -> Iterator[tuple[Moments, float]]:
    """Every distribution that n raters can give, with its chance."""
    for counts in compositions(n, len(population)):
        ratings = statistics.ratings_of(counts)
        yield Moments.of(ratings), float(stats.multinomial.pmf(counts, n, population))


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in compositions(total - first, parts - 1))


def figures(ratings: list[int]) -> tuple[object, ...]:
    """Every figure of one cell."""
    cell = Moments.of(ratings)
    return (
        statistics.mean(ratings),
        statistics.interval_of_mean(ratings),
        statistics.gap(3, ratings),
        statistics.r_wg(ratings),
        statistics.average_deviation(ratings),
        statistics.polarisation(ratings),
        statistics.pooled_sd([cell]),
        statistics.welch_change(cell, Moments.of([3, 4, 5])),
    )
