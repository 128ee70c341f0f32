"""A8: the reports of thousands of random rounds against linear algebra, without an insider and with one."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey.core import disclosure
from survey.core.auditor import audit, smallest_isolated
from survey.core.competencies import Section
from survey.core.disclosure import Band, Group, publish
from survey.core.errors import Unsafe
from survey.core.questionnaires import EVERYBODY, FREQUENCY, Item, Part, Questionnaire
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response

BEHAVIORS = tuple(
    Item(f"1.key_behaviors.{number}", Section.KEY_BEHAVIORS, f"Behavior {number}", FREQUENCY, EVERYBODY)
    for number in (1, 2, 3)
)
QUESTION = Item("1.seek_feedback.1", Section.SEEK_FEEDBACK, "What now?", None, EVERYBODY)
ASKED = Questionnaire((Part("page", "Stability", 3, 1, "", (*BEHAVIORS, QUESTION)),))
COLLEAGUES = (Relationship.PEER, Relationship.DIRECT_REPORT, Relationship.OTHER)
ANONYMOUS = (*COLLEAGUES, Relationship.OUTSIDE)

RATERS = st.tuples(
    st.sampled_from(ANONYMOUS),
    st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=3, max_size=3),
    st.sampled_from(["", "One word.", "Another."]),
)
# Unanimity and near unanimity at an end are rare by chance, and they are where rounds leak.
ALIKE = st.builds(
    lambda kind, rating, size, odd: [(kind, [rating] * 3, "")] * size + [(kind, [odd] * 3, "")],
    st.sampled_from(ANONYMOUS),
    st.sampled_from([1, 3, 5]),
    st.integers(2, 5),
    st.integers(1, 5),
)
ROUNDS = st.one_of(
    st.lists(RATERS, min_size=3, max_size=12),
    st.builds(lambda first, rest: first + rest, ALIKE, st.lists(RATERS, max_size=6)),
).map(lambda raters: [response(*rater) for rater in raters])
MINIMA = st.integers(3, 6)


def response(kind, ratings, words=""):
    return Response(
        kind,
        Answers(
            {item.key: rating for item, rating in zip(BEHAVIORS, ratings, strict=True)},
            {QUESTION.key: words} if words else {},
        ),
    )


def published(responses, k, seed=0):
    return publish(ASKED, responses, k=k, shuffle=random.Random(seed).shuffle)


@settings(max_examples=800)
@given(ROUNDS, MINIMA)
def test_no_anonymous_figure_rests_on_fewer_than_k_who_observed_that_item(responses, k):
    result = published(responses, k)
    for cell in result.cells:
        assert cell.n >= k
        assert cell.n <= sum(one.answers.ratings[cell.item] is not None for one in responses)
        assert cell.counts is None or cell.n >= 6


@settings(max_examples=800)
@given(ROUNDS, MINIMA)
def test_an_attacker_with_the_report_alone_isolates_no_set_under_k(responses, k):
    for by_group in incidence(responses, published(responses, k)).values():
        sets = list(by_group.values())
        for combination in itertools.product((-1, 0, 1), repeat=len(sets)):
            weights = Counter()
            for factor, raters in zip(combination, sets, strict=True):
                for rater in raters:
                    weights[rater] += factor
            left = {rater for rater, weight in weights.items() if weight}
            assert not left or len(left) >= k


@settings(max_examples=600)
@given(ROUNDS, MINIMA)
def test_one_insider_learns_no_single_raters_answer_of_a_small_group(responses, k):
    result = published(responses, k)
    sets = incidence(responses, result)
    for cell in result.cells:
        if cell.n >= 6:
            continue  # R2 shows the distribution from there on
        raters = sets[cell.item][cell.group]
        true = sorted(responses[rater].answers.ratings[cell.item] for rater in raters)
        for own in set(true):
            worlds = [others for others in possible(cell) if own in others]
            rest = {tuple(sorted(list_without(world, own))) for world in worlds}
            if is_nearly_unanimous_at_an_end(true, own):
                continue  # said openly in `publish`: only means from the middle of the scale could prevent it
            assert len(rest) > 1 or len(set(next(iter(rest)))) > 1, (cell, true, own)


@settings(max_examples=400)
@given(ROUNDS, MINIMA, st.randoms(use_true_random=False))
def test_the_order_of_responses_changes_nothing(responses, k, dice):
    mixed = list(responses)
    dice.shuffle(mixed)
    one, other = published(responses, k), published(mixed, k)
    assert one.cells == other.cells
    assert set(one.answered) == set(other.answered)
    assert Counter(one.comments) == Counter(other.comments)


@settings(max_examples=400)
@given(ROUNDS, MINIMA)
def test_comments_need_k_authors_and_carry_no_group(responses, k):
    for voices, group in ((COLLEAGUES, Group.POOLED), ((Relationship.OUTSIDE,), Group.OUTSIDE)):
        writing = [one for one in responses if one.relationship in voices and one.answers.comments]
        written = [one.answers.comments[QUESTION.key] for one in writing]
        shown = [comment.text for comment in published(responses, k).comments if comment.group is group]
        assert Counter(shown) == (Counter(written) if len(written) >= k else Counter())
    assert {comment.group for comment in published(responses, k).comments} <= {Group.POOLED, Group.OUTSIDE}


def test_four_peers_of_whom_one_did_not_observe_a_behavior_show_no_figure_for_it_and_no_total_betrays_it():
    responses = [response(Relationship.PEER, [rating, 3, 4]) for rating in (4, 2, None, 5)]
    result = published(responses, 4)
    assert [cell.item for cell in result.cells] == [BEHAVIORS[1].key, BEHAVIORS[2].key]
    assert result.answered == ((Group.PEER, 4),)
    # Whatever the three said, the report is the same to the letter.
    others = [response(Relationship.PEER, [rating, 3, 4]) for rating in (1, 1, None, 3)]
    assert published(others, 4) == result


def test_small_groups_are_pooled_or_dropped_and_never_shown_by_a_total():
    peers = [response(Relationship.PEER, [3, 3, 2])] * 6
    two = [response(Relationship.DIRECT_REPORT, [4, 4, 4])] * 2
    others = [response(Relationship.OTHER, [2, 3, 2])] * 2
    assert {cell.group for cell in published(peers + two, 4).cells} == {Group.PEER}
    result = published(peers + two + others, 4)
    assert {(cell.group, cell.n) for cell in result.cells} == {(Group.PEER, 6), (Group.POOLED, 4)}


def test_self_and_manager_are_never_counted_with_anybody():
    attributed = [response(Relationship.SELF, [5, 5, 5]), response(Relationship.MANAGER, [1, 1, 1])]
    result = published([*attributed, *[response(Relationship.PEER, [3, 3, 3])] * 3], 4)
    assert {(cell.group, cell.n) for cell in result.cells} == {(Group.SELF, 1), (Group.MANAGER, 1)}


@pytest.mark.parametrize(
    ("ratings", "band"),
    [((5, 5, 5, 5), Band.HIGH), ((5, 5, 4, 4), Band.HIGH), ((5, 5, 5, 3), Band.HIGH), ((1, 1, 1, 1), Band.LOW)],
)
def test_near_an_end_a_small_group_is_a_band_whether_unanimous_or_not(ratings, band):
    cell = published([response(Relationship.PEER, [rating] * 3) for rating in ratings], 4).cells[0]
    assert (cell.band, cell.total, cell.counts, cell.is_far_apart) == (band, None, None, False)


def test_four_equal_ratings_in_the_middle_look_like_others_with_the_same_mean():
    equal = [response(Relationship.PEER, [3] * 3)] * 4
    spread = [response(Relationship.PEER, [rating] * 3) for rating in (2, 3, 3, 4)]
    assert published(equal, 4).cells == published(spread, 4).cells


def test_the_auditor_finds_what_a_total_beside_its_parts_would_betray():
    peers, reports = frozenset(range(6)), frozenset({6, 7})
    audit([("item", peers)], k=4)
    audit([("item", peers), ("other item", peers | reports)], k=4)
    with pytest.raises(Unsafe):
        audit([("item", peers), ("item", peers | reports)], k=4)
    with pytest.raises(Unsafe):
        audit([("item", frozenset({0, 1, 2}))], k=4)


def test_the_auditor_finds_what_only_several_figures_together_betray():
    two, four, eight = frozenset({8, 9}), frozenset(range(4)), frozenset(range(8))
    assert smallest_isolated([four, eight], below=4) is None
    # Each pair of these is harmless; eight and two together, without eight, are two.
    assert smallest_isolated([four, eight, eight | two], below=4) == two


def test_with_an_insider_three_are_enough_and_two_are_not():
    audit([("item", frozenset({0, 1, 2}))], k=3)
    with pytest.raises(Unsafe):
        audit([("item", frozenset({0, 1, 2, 3})), ("item", frozenset({0, 1, 2, 3, 4, 5}))], k=3)


@pytest.mark.parametrize("mutant", ["_cell", "_band"])
def test_each_weakened_build_is_caught(mutant, monkeypatch):
    real = disclosure._cell
    weak = {
        # The minimum counts answers to the form, not to the item.
        "_cell": lambda item, points, group, ratings, k: real(item, points, group, ratings, 1),
        "_band": lambda n, total, points: None,
    }[mutant]
    monkeypatch.setattr(disclosure, mutant, weak)
    holes = [response(Relationship.PEER, [rating, 3, 5]) for rating in (4, 2, None, 5)]
    equal = [response(Relationship.PEER, [3, 3, 5])] * 4
    caught = 0
    for responses in (holes, equal):
        try:
            result = published(responses, 4)
        except (Unsafe, KeyError):
            caught += 1  # the auditor failed closed
            continue
        caught += any(cell.n < 4 or cell.total == 5 * cell.n for cell in result.cells)
    assert caught


def incidence(responses, result):
    """Which raters each published cell rests on, by item and group, from outside the product."""
    shown = {group for group, _ in result.answered}
    sets = {}
    for cell in result.cells:
        kinds = (
            {kind for kind in COLLEAGUES if Group(kind) not in shown}
            if cell.group is Group.POOLED
            else {Relationship(cell.group)}
        )
        raters = frozenset(
            index
            for index, one in enumerate(responses)
            if one.relationship in kinds and one.answers.ratings[cell.item] is not None
        )
        assert len(raters) == cell.n
        sets.setdefault(cell.item, {})[cell.group] = raters
    return sets


def possible(cell):
    """Every set of ratings that a reader of this cell must reckon with, the rule being known."""
    for ratings in itertools.combinations_with_replacement(range(1, 6), cell.n):
        group = published_cell(ratings)
        if (group.total, group.is_far_apart, group.band) == (cell.total, cell.is_far_apart, cell.band):
            yield ratings


def published_cell(ratings):
    key = tuple(ratings)
    if key not in _cells:
        _cells[key] = disclosure._cell(BEHAVIORS[0], 5, Group.PEER, list(ratings), 3)
    return _cells[key]


_cells: dict[tuple[int, ...], object] = {}


def list_without(world, own):
    rest = list(world)
    rest.remove(own)
    return rest


def is_nearly_unanimous_at_an_end(true, own):
    rest = list_without(true, own)
    return len(set(rest)) == 1 and rest[0] in {1, 2, 4, 5}
