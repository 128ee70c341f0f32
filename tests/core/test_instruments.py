import krippendorff
import numpy as np
import pandas
import pingouin
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from survey.core import instruments

SHROUT_AND_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]

points = st.integers(1, 5)
designs = st.tuples(st.integers(2, 6), st.integers(2, 6)).flatmap(
    lambda shape: st.lists(st.lists(points, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])
)
groups = st.lists(st.lists(points, min_size=2, max_size=7), min_size=2, max_size=8)


# Reference vectors


def test_the_table_of_shrout_and_fleiss_gives_their_figures():
    reliability = instruments.reliability(SHROUT_AND_FLEISS)

    assert (reliability.subjects, reliability.raters) == (6, 4)
    assert round(reliability.between, 6) == 11.241667
    assert round(reliability.within, 6) == 6.263889
    assert round(reliability.icc_1, 7) == 0.1657418
    assert round(reliability.icc_k, 7) == 0.4427971
    assert round(instruments.alpha(SHROUT_AND_FLEISS), 7) == 0.9093155


def test_four_raters_of_reliability_37_reach_70_and_that_is_how_many_are_needed():
    assert round(instruments.spearman_brown(0.37, 4), 3) == 0.701
    assert round(instruments.raters_needed(0.37), 2) == 3.97


# The same figures from other people's programs


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(SHROUT_AND_FLEISS, id="Shrout and Fleiss"),
        pytest.param([[4, 3, 4], [2, 2, 3], [5, 4, 4], [3, 5, 2], [1, 2, 2]], id="raters who agree"),
        pytest.param([[5, 1, 3], [1, 4, 5], [3, 5, 1], [2, 4, 4]], id="raters who do not"),
    ],
)
def test_icc_and_its_interval_are_those_of_pingouin(table, every_digit):
    long = pandas.DataFrame(table).melt(ignore_index=False, var_name="rater", value_name="rating").reset_index()
    theirs = pingouin.intraclass_corr(long, "index", "rater", "rating").set_index("Type")

    ours = instruments.reliability(table)

    assert [ours.icc_1, ours.icc_k] == pytest.approx(list(theirs.loc[["ICC(1,1)", "ICC(1,k)"], "ICC"]))
    for interval, kind in [(ours.icc_1_interval, "ICC(1,1)"), (ours.icc_k_interval, "ICC(1,k)")]:
        assert [interval.low, interval.high] == pytest.approx(list(theirs["CI95"][kind]))


@given(groups)
def test_icc_of_groups_of_any_size_is_that_of_an_analysis_of_variance_in_scipy(subjects):
    assume(len({sum(ratings) / len(ratings) for ratings in subjects}) > 1)
    assume(any(len(set(ratings)) > 1 for ratings in subjects))
    ratio = stats.f_oneway(*subjects).statistic
    n, k = sum(map(len, subjects)), sum(map(len, subjects)) / len(subjects)
    low, high = ratio / stats.f(len(subjects) - 1, n - len(subjects)).ppf([0.975, 0.025])

    ours = instruments.reliability(subjects)

    assert ours.icc_1 == pytest.approx((ratio - 1) / (ratio + k - 1))
    assert ours.icc_1_interval.low == pytest.approx((low - 1) / (low + k - 1))
    assert ours.icc_1_interval.high == pytest.approx((high - 1) / (high + k - 1))
    assert ours.icc_k == pytest.approx(1 - 1 / ratio)
    assert ours.icc_k_interval.low == pytest.approx(1 - 1 / low)
    assert ours.icc_k_interval.high == pytest.approx(1 - 1 / high)


@given(designs)
def test_the_mean_squares_give_the_alpha_of_krippendorff(subjects):
    ours = instruments.reliability(subjects)
    assume(ours is not None)
    groups, n = len(subjects), sum(len(ratings) for ratings in subjects)

    # For equal groups his alpha compares the mean square within with the variance of all ratings.
    overall = ((groups - 1) * ours.between + (n - groups) * ours.within) / (n - 1)

    theirs = krippendorff.alpha(np.array(subjects, dtype=float).T, level_of_measurement="interval")
    assert 1 - ours.within / overall == pytest.approx(theirs)


@given(designs)
def test_alpha_is_that_of_pingouin(rows):
    assume(len({sum(row) for row in rows}) > 1)

    assert instruments.alpha(rows) == pytest.approx(pingouin.cronbach_alpha(pandas.DataFrame(rows))[0])


def test_alpha_of_rows_with_gaps_is_that_of_pingouin_without_the_rows():
    rows = [[4, 3, 4], [2, None, 3], [5, 4, 4], [3, 3, 2], [None, None, None]]
    gaps = pandas.DataFrame(rows, dtype=float)

    assert instruments.alpha(rows) == pytest.approx(pingouin.cronbach_alpha(gaps, nan_policy="listwise")[0])


@given(designs)
def test_item_total_is_the_correlation_with_the_sum_of_the_others(rows):
    table = pandas.DataFrame(rows)

    for item, ours in enumerate(instruments.item_total(rows)):
        rest = table.drop(columns=item).sum(axis=1)
        if table[item].nunique() == 1 or rest.nunique() == 1:
            assert ours is None
        else:
            assert ours == pytest.approx(table[item].corr(rest), abs=1e-9)


@given(designs)
def test_halo_is_the_first_component_of_the_standardised_answers(rows):
    answers = np.array(rows, dtype=float)
    answers = answers[:, answers.std(axis=0) > 0]
    assume(answers.shape[1] >= 2)

    components = np.linalg.svd((answers - answers.mean(axis=0)) / answers.std(axis=0), compute_uv=False) ** 2

    assert instruments.halo(rows) == pytest.approx(components[0] / components.sum())


# What must hold


@given(designs, st.randoms(use_true_random=False))
def test_the_order_of_subjects_and_raters_does_not_matter(subjects, random):
    shuffled = [random.sample(ratings, len(ratings)) for ratings in random.sample(subjects, len(subjects))]
    ours, theirs = instruments.reliability(subjects), instruments.reliability(shuffled)

    assert (ours is None) is (theirs is None)
    if ours is not None:
        assert theirs.icc_1 == pytest.approx(ours.icc_1)
        assert theirs.icc_k == pytest.approx(ours.icc_k)


@given(st.lists(st.lists(points, max_size=7), max_size=8))
def test_icc_of_groups_of_any_size_is_none_or_lies_within_its_interval(subjects):
    reliability = instruments.reliability(subjects)

    if reliability is not None:
        assert reliability.icc_1_interval.low <= reliability.icc_1 <= reliability.icc_1_interval.high <= 1
        assert reliability.icc_k_interval.low <= reliability.icc_k <= reliability.icc_k_interval.high <= 1
        assert reliability.icc_k == pytest.approx(
            instruments.spearman_brown(reliability.icc_1, reliability.raters), abs=1e-6
        )


@given(st.lists(st.lists(st.none() | points, min_size=4, max_size=4), max_size=8))
def test_rows_with_gaps_change_nothing_but_the_number_of_rows(rows):
    whole = [row for row in rows if None not in row]

    assert instruments.complete(rows) == whole
    assert instruments.alpha(rows) == instruments.alpha(whole)
    assert instruments.item_total(rows) == instruments.item_total(whole)
    assert instruments.halo(rows) == instruments.halo(whole)


@given(st.lists(st.lists(st.none() | points, min_size=3, max_size=3), max_size=8))
def test_no_figure_is_ever_without_a_value(rows):
    figures = [instruments.alpha(rows), instruments.halo(rows), *(instruments.item_total(rows) or ())]

    assert all(np.isfinite(figure) for figure in figures if figure is not None)


@given(st.floats(0.01, 0.99), st.floats(0.05, 0.95))
def test_as_many_raters_as_needed_reach_the_target(icc_1, target):
    needed = instruments.raters_needed(icc_1, target=target)

    assert instruments.spearman_brown(icc_1, needed) == pytest.approx(target)


# Edges


def test_groups_of_different_size_count_with_their_mean_size():
    # Means 4, 2 and 3; sums of squares by hand: 64 + 8 + 27 - 29 * 29 / 9 between, 2 + 2 + 2 within.
    reliability = instruments.reliability([[3, 4, 4, 5], [1, 3], [2, 3, 4], []])

    assert (reliability.subjects, reliability.raters) == (3, 3)
    assert reliability.between == pytest.approx(25 / 9)
    assert reliability.within == pytest.approx(1)
    assert reliability.icc_1 == pytest.approx(16 / 43)
    assert reliability.icc_k == pytest.approx(16 / 25)


@pytest.mark.parametrize(
    "subjects",
    [
        pytest.param([], id="nobody"),
        pytest.param([[4, 3, 5]], id="one subject"),
        pytest.param([[4, 3, 5], []], id="one subject with ratings"),
        pytest.param([[4], [3], [5]], id="one rater each"),
        pytest.param([[4, 4], [4, 4]], id="no variance"),
        pytest.param([[3, 5], [5, 3], [4, 4]], id="equal means"),
    ],
)
def test_icc_does_not_exist_without_two_subjects_two_raters_and_a_difference(subjects):
    assert instruments.reliability(subjects) is None


def test_raters_who_agree_completely_are_fully_reliable():
    reliability = instruments.reliability([[4, 4, 4], [2, 2, 2], [5, 5, 5]])

    assert (reliability.within, reliability.icc_1, reliability.icc_k) == (0, 1, 1)
    assert (reliability.icc_1_interval.low, reliability.icc_1_interval.high) == (1, 1)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no row"),
        pytest.param([[4, 3]], id="one row"),
        pytest.param([[4], [3], [5]], id="one item"),
        pytest.param([[4, 3], [None, 3]], id="one complete row"),
    ],
)
def test_a_competency_needs_two_items_and_two_complete_rows(rows):
    assert instruments.alpha(rows) is None
    assert instruments.item_total(rows) is None
    assert instruments.halo(rows) is None


def test_rows_with_the_same_sum_have_no_alpha():
    assert instruments.alpha([[4, 2], [2, 4], [3, 3]]) is None


def test_an_item_without_spread_has_no_correlation_and_no_part_in_the_halo():
    rows = [[4, 1, 2], [4, 2, 3], [4, 3, 5]]

    assert instruments.item_total(rows)[0] is None
    assert instruments.halo(rows) == instruments.halo([row[1:] for row in rows])
    assert instruments.halo([row[:2] for row in rows]) is None


def test_one_opinion_ticked_all_the_way_down_is_a_halo_of_1():
    assert instruments.halo([[1, 1, 1], [3, 3, 3], [4, 4, 4]]) == pytest.approx(1)


def test_no_number_of_raters_helps_where_raters_do_not_agree_at_all():
    assert instruments.raters_needed(0) is None
    assert instruments.raters_needed(-0.1) is None
    assert instruments.raters_needed(1) == 0


def test_the_use_of_an_item_counts_those_who_could_not_observe_it():
    use = instruments.use([5, None, 4, 5, None, 3])

    assert (use.asked, use.not_observed, use.top) == (6, 2 / 6, 0.5)
    assert use.needs_rewording


def test_thirty_percent_not_observed_is_still_accepted():
    assert not instruments.use([4] * 7 + [None] * 3).needs_rewording
    assert instruments.use([4] * 69 + [None] * 31).needs_rewording


def test_the_top_of_a_longer_scale_is_its_last_point():
    assert instruments.use([5, 7, 7, 6], points=7).top == 0.5


def test_an_item_that_nobody_observed_has_no_top_and_one_that_nobody_was_asked_has_no_use():
    assert instruments.use([None, None]) == instruments.Use(2, 1, None)
    assert instruments.use([]) is None


@pytest.fixture
def every_digit(monkeypatch):
    """Intervals from pingouin, which rounds them to two digits by default."""
    monkeypatch.setitem(pingouin.options, "round.column.CI95", None)
