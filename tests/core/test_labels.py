import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import labels, statistics
from survey.core.labels import Change, Johari, Perception, Spread, Standing
from survey.core.statistics import Interval, Moments

points = st.integers(1, 5)
cells = st.lists(points, min_size=2, max_size=12)


# How the self-rating stands to others


@pytest.mark.parametrize(
    ("self_rating", "mean", "interval", "expected"),
    [
        (4, 3.0, Interval(2.2, 3.8), Perception.HIGHER),
        (2, 3.0, Interval(2.2, 3.8), Perception.LOWER),
        (4, 3.5, Interval(3.1, 3.9), Perception.HIGHER),  # Exactly half a point.
        (3, 3.5, Interval(3.1, 3.9), Perception.LOWER),
        (4, 3.6, Interval(3.3, 3.9), Perception.NO_CLEAR_DIFFERENCE),  # Outside, but less than half a point away.
        (
            4,
            3.0,
            Interval(2.0, 4.0),
            Perception.NO_CLEAR_DIFFERENCE,
        ),  # A point away, but at the interval's end.
        (4, 3.0, Interval(1.9, 4.1), Perception.TOO_FEW),  # Wider than two points.
        (3, 3.0, Interval(1.9, 4.1), Perception.TOO_FEW),
        (5, 2.0, Interval(0.5, 3.5), Perception.HIGHER),  # Wider still, and yet the self-rating lies outside.
        (4, 3.0, None, Perception.TOO_FEW),
    ],
)
def test_higher_and_lower_need_half_a_point_and_an_interval_that_leaves_the_self_rating_out(
    self_rating, mean, interval, expected
):
    assert labels.perception(self_rating, mean, interval) is expected


def test_the_claim_of_closeness_in_an_older_report_is_read_as_no_clear_difference():
    assert Perception("about_the_same") is Perception.NO_CLEAR_DIFFERENCE
    with pytest.raises(ValueError, match="nonsense"):
        Perception("nonsense")


def test_a_gap_of_one_point_over_four_peers_is_too_little_to_tell():
    peers = [3, 4, 2, 3]

    assert statistics.gap(4, peers) == 1
    assert labels.perception(4, 3, statistics.interval_of_mean(peers)) is Perception.TOO_FEW


@given(points, cells)
def test_turning_the_scale_round_turns_higher_into_lower(self_rating, ratings):
    turned = {Perception.HIGHER: Perception.LOWER, Perception.LOWER: Perception.HIGHER}
    upright = perceived(self_rating, ratings)

    assert perceived(6 - self_rating, [6 - rating for rating in ratings]) is turned.get(upright, upright)


@given(points, cells)
def test_no_direction_is_named_where_the_self_rating_lies_within(self_rating, ratings):
    if statistics.interval_of_mean(ratings).contains(self_rating):
        assert perceived(self_rating, ratings) in {Perception.NO_CLEAR_DIFFERENCE, Perception.TOO_FEW}


def test_the_cuts_of_perception_stretch_with_the_scale():
    assert labels.perception(7, 6.0, Interval(5.2, 6.8), points=9) is Perception.HIGHER
    assert labels.perception(7, 6.1, Interval(5.4, 6.8), points=9) is Perception.NO_CLEAR_DIFFERENCE
    assert labels.perception(7, 6.0, Interval(4.0, 8.0), points=9) is Perception.NO_CLEAR_DIFFERENCE
    assert labels.perception(7, 6.0, Interval(3.9, 8.1), points=9) is Perception.TOO_FEW


# What others say


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(3.5, 4.9), Standing.STRENGTH),
        (Interval(3.49, 4.9), Standing.NEITHER),
        (Interval(1.2, 3.0), Standing.DEVELOPMENT),
        (Interval(1.2, 3.01), Standing.NEITHER),
        (Interval(3.1, 3.4), Standing.NEITHER),
        (None, Standing.NEITHER),
    ],
)
def test_a_strength_lies_wholly_above_3_5_and_a_development_area_wholly_below_3(interval, expected):
    assert labels.standing(interval) is expected


@given(cells)
def test_where_more_is_worse_the_standing_is_that_of_the_scale_turned_round(ratings):
    interval = statistics.interval_of_mean(ratings)
    turned = Interval(6 - interval.high, 6 - interval.low)

    assert labels.standing(interval, more_is_worse=True) is labels.standing(turned)


def test_a_struggle_that_is_often_seen_is_a_development_area():
    assert labels.standing(Interval(3.6, 4.4), more_is_worse=True) is Standing.DEVELOPMENT
    assert labels.standing(Interval(1.2, 2.4), more_is_worse=True) is Standing.STRENGTH


def test_the_cuts_of_standing_keep_their_place_on_a_longer_scale():
    assert labels.standing(Interval(6.0, 8.0), points=9) is Standing.STRENGTH
    assert labels.standing(Interval(5.9, 8.0), points=9) is Standing.NEITHER
    assert labels.standing(Interval(3.0, 5.0), points=9) is Standing.DEVELOPMENT


# Both together


@pytest.mark.parametrize(
    ("self_rating", "mean", "interval", "expected"),
    [
        (4, 4.2, Interval(3.6, 4.8), Johari.KNOWN_STRENGTH),
        (3, 4.2, Interval(3.6, 4.8), Johari.HIDDEN_STRENGTH),
        (4, 2.2, Interval(1.6, 2.8), Johari.BLIND_SPOT),
        (3, 2.2, Interval(1.6, 2.8), Johari.KNOWN_GAP),
        (4, 3.2, Interval(2.6, 3.8), None),
        (
            3.9,
            4.2,
            Interval(3.6, 4.8),
            None,
        ),  # A competency's mean, not clearly below others.
        (4, 2.2, None, None),
    ],
)
def test_johari_words_cut_the_self_rating_at_often(self_rating, mean, interval, expected):
    assert _johari(self_rating, mean, interval) is expected


def test_a_struggle_that_only_others_see_is_a_blind_spot():
    assert _johari(2, 4.2, Interval(3.6, 4.8), more_is_worse=True) is Johari.BLIND_SPOT
    assert _johari(4, 1.8, Interval(1.2, 2.4), more_is_worse=True) is Johari.HIDDEN_STRENGTH


@given(points, cells, st.booleans())
def test_a_johari_word_never_contradicts_the_other_two(self_rating, ratings, more_is_worse):
    mean, interval = statistics.mean(ratings), statistics.interval_of_mean(ratings)
    word = _johari(self_rating, mean, interval, more_is_worse=more_is_worse)
    seen = labels.standing(interval, more_is_worse=more_is_worse)
    more, less = (Perception.LOWER, Perception.HIGHER) if more_is_worse else (Perception.HIGHER, Perception.LOWER)

    match word:
        case Johari.BLIND_SPOT:
            assert (seen, perceived(self_rating, ratings)) == (Standing.DEVELOPMENT, more)
        case Johari.HIDDEN_STRENGTH:
            assert (seen, perceived(self_rating, ratings)) == (Standing.STRENGTH, less)
        case Johari.KNOWN_STRENGTH:
            assert seen is Standing.STRENGTH
        case Johari.KNOWN_GAP:
            assert seen is Standing.DEVELOPMENT
        case None:
            assert seen is Standing.NEITHER


def _johari(self_rating, mean, interval, *, more_is_worse=False):
    standing = labels.standing(interval, more_is_worse=more_is_worse)
    perception = labels.perception(self_rating, mean, interval)
    return labels.johari(self_rating, standing, perception, more_is_worse=more_is_worse)


# How far others agree


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 0, 6, 0], Spread.AGREE),
        ([0, 0, 2, 3, 1], Spread.AGREE),
        ([0, 1, 2, 2, 1], Spread.DIFFER),  # An average deviation of exactly 5/6, which is not below it.
        ([1, 1, 2, 1, 1], Spread.DIFFER),
        ([3, 0, 0, 0, 3], Spread.TWO_CAMPS),
        ([2, 0, 0, 0, 8], Spread.DIFFER),  # A polarisation of exactly 0.8.
        ([0, 0, 0, 5, 0], None),
    ],
)
def test_words_on_agreement_come_from_six_raters_on(counts, expected):
    assert labels.spread(counts) is expected


@given(st.lists(st.integers(0, 8), min_size=3, max_size=9))
def test_two_camps_never_count_as_agreement(counts):
    if labels.spread(counts) is Spread.TWO_CAMPS:
        ratings = statistics.ratings_of(counts)
        assert statistics.average_deviation(ratings) >= len(counts) / 6


# Two cycles


def test_a_change_is_clear_when_its_interval_leaves_out_zero():
    before, after = Moments.of([2, 2, 3, 2]), Moments.of([4, 4, 5, 4])

    assert labels.change(before, after, is_comparable=True, k=4) is Change.CLEAR
    assert labels.change(after, before, is_comparable=True, k=4) is Change.CLEAR
    assert labels.change(before, before, is_comparable=True, k=4) is Change.UNCLEAR


def test_other_words_or_too_few_ratings_say_nothing_about_change():
    before, after = Moments.of([2, 2, 3, 2]), Moments.of([4, 4, 5, 4])

    assert labels.change(before, after, is_comparable=False, k=4) is None
    assert labels.change(before, after, is_comparable=True, k=5) is None
    assert labels.change(before, Moments.of([4, 4, 5]), is_comparable=True, k=4) is None


def test_two_unanimous_cycles_show_no_clear_change():
    before, after = Moments.of([4, 4, 4, 4]), Moments.of([5, 5, 5, 5])

    assert labels.change(before, after, is_comparable=True, k=4) is Change.UNCLEAR


# The words themselves


@pytest.mark.parametrize("kind", [Perception, Standing, Johari, Spread, Change])
def test_every_word_has_a_code_and_a_sentence_of_its_own(kind):
    assert len({word.label for word in kind}) == len(kind)
    for word in kind:
        assert kind(word.value) is word
        assert word.label[0].isupper()
        assert str(word) == word.value != word.label


def perceived(self_rating: int, ratings: list[int]) -> Perception:
    return labels.perception(self_rating, statistics.mean(ratings), statistics.interval_of_mean(ratings))
