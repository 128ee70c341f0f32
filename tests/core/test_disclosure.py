"""The rules of disclosure R1 to R8, rule by rule. Random rounds under attack: tests/attacks, A8."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey.core import disclosure
from survey.core.competencies import Section
from survey.core.disclosure import Band, Cell, Comment, Group, publish
from survey.core.errors import Unsafe
from survey.core.questionnaires import EVERYBODY, FREQUENCY, OTHERS_THAN_SELF, Item, Part, Questionnaire, Scale
from survey.core.relationships import ANONYMOUS, COLLEAGUES, Relationship
from survey.core.responses import Answers, Response

RATED, SECOND, OPEN = "1.key_behaviors.1", "1.key_behaviors.2", "1.seek_feedback.1"


# R1: a figure needs k raters who observed the item


def test_a_group_of_k_is_shown_and_one_of_fewer_is_not():
    assert figures(peers(3, 3, 4, 5))[RATED, Group.PEER].n == 4
    assert figures(peers(3, 3, 4)) == {}


def test_the_minimum_counts_those_who_observed_the_item_and_not_those_who_answered():
    published = shown(peers(3, 3, 4, None, 2, None))

    assert figures_of(published)[RATED, Group.PEER] == Cell(RATED, Group.PEER, 4, 12)
    assert dict(published.answered) == {Group.PEER: 6}


def test_four_peers_of_whom_one_did_not_observe_a_behavior_have_no_figure_for_it_and_nothing_betrays_one():
    """What the three rated may be anything: not one number or word of what is published changes with it."""
    possible = [
        shown([rating(Relationship.SELF, 4, 4), rating(Relationship.MANAGER, 3, 3), *four_peers(*three)])
        for three in [(1, 1, 1), (5, 5, 5), (2, 3, 4), (5, 1, 1)]
    ]

    assert all(published == possible[0] for published in possible)
    assert (RATED, Group.PEER) not in figures_of(possible[0])
    assert figures_of(possible[0])[SECOND, Group.PEER].n == 4
    assert dict(possible[0].answered)[Group.PEER] == 4


def test_who_did_not_observe_it_is_betrayed_no_more_than_what_the_others_said():
    silent_first = [rating(Relationship.PEER, first, 3) for first in (None, 2, 5, 1)]
    silent_last = [rating(Relationship.PEER, first, 3) for first in (5, 2, 1, None)]

    assert shown(silent_first) == shown(silent_last)


@pytest.mark.parametrize("k", [0, 1, 2, 11])
def test_a_minimum_that_no_cycle_may_have_publishes_nothing(k):
    with pytest.raises(Unsafe, match=f"A minimum of {k} is none"):
        shown(peers(*[3] * 12), k=k)


# R2: what is shown of how many


def test_a_distribution_is_shown_from_six_raters_on():
    assert figures(peers(2, 3, 3, 4, 4))[RATED, Group.PEER].counts is None
    assert figures(peers(2, 3, 3, 4, 4, 4))[RATED, Group.PEER].counts == (0, 1, 2, 3, 0)


def test_six_raters_who_agree_are_shown_as_they_are():
    """R7 ends at six: whoever sees this knows what each of the six rated."""
    assert figures(peers(5, 5, 5, 5, 5, 5))[RATED, Group.PEER] == Cell(RATED, Group.PEER, 6, 30, (0, 0, 0, 0, 6))


@pytest.mark.parametrize("ratings", [(4, 4, 4, 4), (3, 4, 4, 5), (2, 4, 5, 5), (1, 5, 5, 5)])
def test_of_fewer_than_six_the_mean_is_all_that_is_said(ratings):
    assert figures(peers(*ratings))[RATED, Group.PEER] == Cell(RATED, Group.PEER, 4, 16)


@pytest.mark.parametrize(
    ("ratings", "is_far_apart"), [((3, 3, 3, 3), False), ((2, 2, 4, 4), False), ((1, 1, 5, 5), True)]
)
def test_that_few_are_far_apart_is_said_where_it_tells_of_nobody(ratings, is_far_apart):
    assert figures(peers(*ratings))[RATED, Group.PEER] == Cell(RATED, Group.PEER, 4, 12, is_far_apart=is_far_apart)


def test_a_comment_needs_k_people_who_answered_that_question():
    assert texts(peers_who_wrote("Ask sooner.", "Write it down.", "Say no.")) == []
    assert sorted(texts(peers_who_wrote("Ask sooner.", "Write it down.", "Say no.", "Rest."))) == [
        "Ask sooner.",
        "Rest.",
        "Say no.",
        "Write it down.",
    ]


def test_comments_of_small_groups_lie_with_all_others_and_say_nothing_of_their_group():
    wrote = [
        *peers_who_wrote("One.", "Two."),
        comment(Relationship.DIRECT_REPORT, "Three."),
        comment(Relationship.OTHER, "Four."),
    ]

    published = shown(wrote)

    assert {one.group for one in published.comments} == {Group.POOLED}
    assert sorted(one.text for one in published.comments) == ["Four.", "One.", "Three.", "Two."]


@pytest.mark.parametrize("nothing", ["", " ", "\u200b", "—", "…", "?", " - "])
def test_a_comment_that_says_nothing_is_not_counted_and_not_shown(nothing):
    wrote = peers_who_wrote("One.", "Two.", "Three.", nothing)

    assert texts(wrote) == []
    assert sorted(texts([*wrote, comment(Relationship.PEER, "Four.")])) == ["Four.", "One.", "Three.", "Two."]


def test_a_comment_of_one_sign_is_an_answer():
    assert sorted(texts(peers_who_wrote("One.", "Two.", "Three.", "👍"))) == ["One.", "Three.", "Two.", "👍"]


def test_how_somebody_spaces_their_words_is_not_shown():
    assert "Ask sooner.\nThen act." in texts(peers_who_wrote(" Ask\u00a0 sooner.\r\n\n\tThen act. ", "b", "c", "d"))


def test_each_question_is_shuffled_on_its_own():
    shuffled = []

    shown(peers_who_wrote("a", "b", "c", "d"), shuffle=shuffled.append)

    assert [[one.text for one in comments] for comments in shuffled] == [["a", "b", "c", "d"]]


# R3: small groups


def test_groups_under_k_are_pooled():
    published = shown([*peers(3, 3), *reports(4, 4)])

    assert published.cells == (Cell(RATED, Group.POOLED, 4, 14),)
    assert published.answered == ((Group.POOLED, 4),)


def test_a_pool_under_k_is_dropped_and_no_number_counts_it():
    published = shown([*peers(3, 3, 4, 5, 5), *reports(1, 1), rating(Relationship.OTHER, 1)])

    assert published == shown(peers(3, 3, 4, 5, 5))
    assert published.certificate.raters == 5


def test_a_group_that_is_shown_is_never_pooled_for_an_item_that_too_few_of_it_observed():
    responses = [*peers(3, 3, 4, None), *reports(4, 4), *others(2, 2)]

    assert figures(responses) == {(RATED, Group.POOLED): Cell(RATED, Group.POOLED, 4, 12)}


def test_which_groups_are_pooled_does_not_depend_on_their_order():
    small = {Relationship.PEER: (3, 2), Relationship.DIRECT_REPORT: (4,), Relationship.OTHER: (5, 5, 1)}

    pooled = {
        shown([rating(group, one) for group in order for one in small[group]]).cells
        for order in [list(small), list(reversed(small))]
    }

    assert pooled == {(Cell(RATED, Group.POOLED, 6, 20, (1, 1, 1, 1, 2)),)}


# R7: bands


@pytest.mark.parametrize(
    ("ratings", "band"),
    [
        ((5, 5, 5, 5), Band.HIGH),
        ((5, 5, 5, 3), Band.HIGH),
        ((5, 5, 4, 3), None),
        ((1, 1, 1, 1, 1), Band.LOW),
        ((1, 1, 1, 1, 3), Band.LOW),
        ((1, 1, 1, 1, 4), None),
        ((3, 3, 3, 3), None),
    ],
)
def test_a_mean_within_half_a_point_of_an_end_is_a_band_while_n_is_under_six(ratings, band):
    cell = figures(peers(*ratings))[RATED, Group.PEER]

    assert cell.band is band
    assert (cell.total is None) is (band is not None)


@pytest.mark.parametrize("points", range(2, 11))
@pytest.mark.parametrize("n", [3, 4, 5])
def test_on_every_scale_a_band_covers_more_than_the_unanimous(points, n):
    at_the_end, near = (
        figures(peers(*ratings), points=points, k=3)[RATED, Group.PEER]
        for ratings in [(points,) * n, (points,) * (n - 1) + (points - 1,)]
    )

    assert at_the_end == near == Cell(RATED, Group.PEER, n, band=Band.HIGH)


def test_an_even_split_on_two_points_gets_the_upper_band():
    assert figures(peers(1, 1, 2, 2), points=2)[RATED, Group.PEER].band is Band.HIGH


# R8: self and manager


def test_self_and_manager_are_shown_as_theirs_and_counted_with_nobody():
    responses = [rating(Relationship.SELF, 5), rating(Relationship.MANAGER, 1), *peers(3, 3), *reports(4)]

    assert figures(responses) == {
        (RATED, Group.SELF): Cell(RATED, Group.SELF, 1, 5),
        (RATED, Group.MANAGER): Cell(RATED, Group.MANAGER, 1, 1),
    }


def test_what_the_manager_writes_is_shown_as_the_managers_and_helps_no_group_to_its_k():
    wrote = [*peers_who_wrote("One.", "Two.", "Three."), comment(Relationship.MANAGER, "Four.")]

    assert shown(wrote).comments == (Comment(OPEN, Group.MANAGER, "Four."),)


# Every round


@settings(max_examples=400)
@given(round_=st.deferred(lambda: rounds))
def test_every_round_keeps_every_rule(round_):
    published = shown(round_.responses, k=round_.k, points=round_.points, shuffle=random.Random(0).shuffle)
    by_group = Counter(response.relationship for response in round_.responses)
    own_groups = {Group(group) for group in ANONYMOUS if by_group[group] >= round_.k}
    small = {group for group in COLLEAGUES if 0 < by_group[group] < round_.k}

    for cell in published.cells:
        members = small if cell.group is Group.POOLED else {Relationship(cell.group)}
        said = [
            one
            for response in round_.responses
            if response.relationship in members and (one := response.answers.ratings.get(cell.item)) is not None
        ]
        assert cell.n == len(said) > 0
        if not cell.group.is_anonymous:
            assert cell == Cell(cell.item, cell.group, len(said), sum(said))
            continue
        assert cell.n >= round_.k
        assert (cell.counts is not None) is (cell.n >= 6)
        assert cell.total == (None if cell.band else sum(said))
        assert cell.band is None or cell.n < 6
        assert not cell.is_far_apart or cell.n < 6
        if cell.counts is not None:
            assert cell.counts == tuple(said.count(point) for point in range(1, round_.points + 1))

    anonymous = {group for group, _ in published.answered if group.is_anonymous}
    assert anonymous - {Group.POOLED} == own_groups
    assert (Group.POOLED in anonymous) is (sum(by_group[group] for group in small) >= round_.k)
    assert all(count >= round_.k for group, count in published.answered if group.is_anonymous)
    assert len({(cell.item, cell.group) for cell in published.cells}) == len(published.cells)


@settings(max_examples=300)
@given(round_=st.deferred(lambda: rounds), order=st.randoms(use_true_random=False))
def test_the_order_of_the_responses_changes_nothing_but_the_order_of_comments(round_, order):
    reordered = list(round_.responses)
    order.shuffle(reordered)

    first, second = (shown(responses, k=round_.k, points=round_.points) for responses in (round_.responses, reordered))

    assert (first.answered, first.cells, first.certificate) == (second.answered, second.cells, second.certificate)
    assert Counter(first.comments) == Counter(second.comments)


@settings(max_examples=300)
@given(round_=st.deferred(lambda: rounds))
def test_comments_are_shown_all_or_not_at_all_and_word_for_word(round_):
    published = shown(round_.responses, k=round_.k, points=round_.points, shuffle=random.Random(0).shuffle)

    for voices, group in ((COLLEAGUES, Group.POOLED), ((Relationship.OUTSIDE,), Group.OUTSIDE)):
        written = Counter(
            text
            for response in round_.responses
            if response.relationship in voices
            for text in response.answers.comments.values()
        )
        told = Counter(one.text for one in published.comments if one.group is group)
        assert told == (written if written.total() >= round_.k else Counter())
    assert {one.group for one in published.comments} <= {Group.POOLED, Group.OUTSIDE, Group.SELF, Group.MANAGER}


@settings(max_examples=300)
@given(round_=st.deferred(lambda: rounds), data=st.data())
def test_a_rating_that_no_figure_rests_on_changes_no_figure(round_, data):
    """What was suppressed is in nothing that is published: it could have been anything."""
    published = shown(round_.responses, k=round_.k, points=round_.points)
    used = {(cell.item, cell.group) for cell in published.cells}
    pool = {group for group in COLLEAGUES if Group(group) not in dict(published.answered)}

    def elsewhere(response, item, value):
        group = Group.POOLED if response.relationship in pool else Group(response.relationship)
        is_held_back = value is not None and (item, group) not in used
        return data.draw(st.integers(1, round_.points)) if is_held_back else value

    changed = [
        Response(
            response.relationship,
            Answers(
                {item: elsewhere(response, item, value) for item, value in response.answers.ratings.items()},
                response.answers.comments,
            ),
        )
        for response in round_.responses
    ]

    assert shown(changed, k=round_.k, points=round_.points) == published


def test_a_figure_that_is_not_its_groups_is_refused(monkeypatch):
    honest = disclosure._cell

    def one_too_many(item, points, group, ratings, k):
        return honest(item, points, group, [*ratings, 5], k)

    monkeypatch.setattr(disclosure, "_cell", one_too_many)

    with pytest.raises(Unsafe, match="not those of the people they name"):
        shown(peers(3, 3, 4, 4))


# Rounds


@dataclass(frozen=True)
class Round:
    k: int
    points: int
    responses: tuple[Response, ...]


@st.composite
def _rounds(draw):
    points = draw(st.integers(2, 10))
    common = draw(st.integers(1, points))
    # Above the scale stands what everybody says: otherwise no group would ever agree.
    mark = st.integers(0, points + 4).map(lambda one: None if one == 0 else common if one > points else one)
    raters = draw(st.lists(st.tuples(st.sampled_from(ANONYMOUS), mark, mark, st.booleans()), min_size=3, max_size=12))
    responses = [
        Response(group, Answers({RATED: first, SECOND: second}, {OPEN: f"Text {number}."} if writes else {}))
        for number, (group, first, second, writes) in enumerate(raters)
    ]
    for group in (Relationship.SELF, Relationship.MANAGER):
        if draw(st.booleans()):
            responses.append(Response(group, Answers({RATED: draw(mark), SECOND: draw(mark)}, {})))
    return Round(draw(st.integers(3, 6)), points, tuple(responses))


rounds = _rounds()


def questionnaire(points):
    scale = FREQUENCY if points == 5 else Scale(tuple(str(point) for point in range(1, points + 1)), "Not observed")
    items = (
        Item(RATED, Section.KEY_BEHAVIORS, "Finds the cause.", scale, EVERYBODY),
        Item(SECOND, Section.KEY_BEHAVIORS, "Prevents the next one.", scale, EVERYBODY),
        Item(OPEN, Section.SEEK_FEEDBACK, "What should I do more of?", None, OTHERS_THAN_SELF),
    )
    return Questionnaire((Part("page", "Product Stability", 3, 1, "At level 3.", items),))


def shown(responses, *, k=4, points=5, shuffle=lambda comments: None):
    return publish(questionnaire(points), responses, k=k, shuffle=shuffle)


def figures_of(published):
    return {(cell.item, cell.group): cell for cell in published.cells}


def figures(responses, **options):
    return figures_of(shown(responses, **options))


def texts(responses):
    return [one.text for one in shown(responses).comments]


def rating(group, first, second=None):
    return Response(group, Answers({RATED: first, SECOND: second}, {}))


def peers(*ratings):
    return [rating(Relationship.PEER, one) for one in ratings]


def reports(*ratings):
    return [rating(Relationship.DIRECT_REPORT, one) for one in ratings]


def others(*ratings):
    return [rating(Relationship.OTHER, one) for one in ratings]


def four_peers(*three):
    return list(map(rating, [Relationship.PEER] * 4, (*three, None), (2, 3, 4, 5)))


def comment(group, text):
    return Response(group, Answers({}, {OPEN: text}))


def peers_who_wrote(*written):
    return [comment(Relationship.PEER, text) for text in written]
