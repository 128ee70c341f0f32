"""A24: every set of ratings that fits what a report shows of three, four or five people, without chance.

What a report shows is taken from the finished report, through publication and all words, as a reader gets it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations_with_replacement
from math import factorial, prod

import pytest

from survey.core import reports, values
from survey.core.changes import Earlier
from survey.core.disclosure import publish
from survey.core.questionnaires import EVERYBODY, FREQUENCY, Item, Part, Questionnaire, Scale
from survey.core.relationships import Relationship
from survey.core.responses import Answers, Response
from survey.core.sections import Section
from tests import portraits

SIZES = (3, 4, 5)
TYPICAL = (0.02, 0.08, 0.30, 0.42, 0.18)
"""How many in a hundred tick each of five points, in an ordinary round."""


@pytest.mark.parametrize("points", range(2, 11))
@pytest.mark.parametrize("n", SIZES)
def test_an_outsider_knows_the_ratings_of_no_small_group(n, points):
    """On the lowest and the highest self-rating, which are the ones that words are said beside."""
    for own in (1, points):
        for alike in classes(n, points, own).values():
            assert len(alike) > 1, f"only {alike[0]} of {points} points looks like this"


@pytest.mark.parametrize("points", range(2, 11))
@pytest.mark.parametrize("n", SIZES)
def test_nothing_beside_the_mean_tells_one_of_them_what_the_others_rated(n, points):
    """Whoever knows the others' ratings with the report knew them from the mean or the band alone."""
    for alike in classes(n, points, 1).values():
        by_mean = [ratings for ratings in sets(n, points) if is_alike(ratings, alike[0], points)]
        for own in {rating for ratings in alike for rating in ratings}:
            assert len(others(alike, own)) > 1 or len(others(by_mean, own)) == 1, (alike, own)


@pytest.mark.parametrize("n", [4, 5])
def test_of_typical_ratings_one_in_two_hundred_raters_at_most_knows_what_each_other_rated(n):
    known = 0.0
    for alike in classes(n, 5, 3).values():
        for ratings in alike:
            certain = [own for own in ratings if knows_each(alike, own)]
            known += chance(ratings) * len(certain) / n
    assert known <= 0.005


@pytest.mark.parametrize("points", [3, 5, 7, 10])
@pytest.mark.parametrize("n", SIZES)
def test_the_spread_of_a_small_group_shows_in_one_bit_at_most(n, points):
    """Groups with one mean look alike, or are of two kinds: this one, and those that lie far apart."""
    looks = defaultdict(set)
    for shown, alike in classes(n, points, 1).items():
        for ratings in alike:
            looks[sum(ratings)].add(shown)
    assert max(map(len, looks.values())) <= 2


@pytest.mark.parametrize("n", SIZES)
def test_the_change_since_the_last_round_says_nothing_that_the_two_reports_do_not(n):
    before = sets(n, 5)[:: 5 if n < 5 else 11]
    for shown in classes(n, 5, 4).values():
        for then in before:
            assert len({report(now, 5, 4, then) for now in shown}) == 1


def classes(n, points, own):
    """The sets of ratings by the report that they make, beside this self-rating."""
    found = defaultdict(list)
    for ratings in sets(n, points):
        found[report(ratings, points, own)].append(ratings)
    return found


@cache
def sets(n, points):
    return list(combinations_with_replacement(range(1, points + 1), n))


@cache
def report(ratings, points, own, then=None):
    """The whole report as it is stored, of peers who rated so."""
    asked = questionnaire(points)
    earlier = Earlier("Autumn round", asked, published(then, points, own).cells) if then else None
    built = reports.build(
        asked,
        published(ratings, points, own),
        pages=[portraits.PAGE],
        invited={Relationship.PEER: len(ratings), Relationship.SELF: 1},
        earlier=earlier,
    )
    return json.dumps(values.dump(built), sort_keys=True)


@cache
def published(ratings, points, own):
    asked = questionnaire(points)
    (item,) = asked.items
    said = [(Relationship.SELF, own), *((Relationship.PEER, rating) for rating in ratings)]
    responses = [Response(who, Answers({item.key: rating}, {})) for who, rating in said]
    return publish(asked, responses, k=3, shuffle=lambda comments: None)


@cache
def questionnaire(points):
    scale = FREQUENCY if points == 5 else Scale(tuple(f"Point {one}" for one in range(1, points + 1)), "No")
    item = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Listens", scale, EVERYBODY)
    return Questionnaire((Part("page", "Listening", 3, 1, "", (item,)),))


def is_alike(one, other, points):
    """Whether two groups have the same mean, or are both within half a point of the same end."""
    return _mean_or_band(one, points) == _mean_or_band(other, points)


def _mean_or_band(ratings, points):
    total, n = sum(ratings), len(ratings)
    if 2 * total >= n * (2 * points - 1):
        return "high"
    return "low" if 2 * total <= 3 * n else total


def others(alike, own):
    """What the others may have rated, for somebody who rated `own` and sees this report."""
    return {without(ratings, own) for ratings in alike if own in ratings}


def knows_each(alike, own):
    """Whether this rater knows of each other one what they rated: there is one set, and all in it are equal."""
    left = others(alike, own)
    return len(left) == 1 and len(set(next(iter(left)))) == 1


def without(ratings, own):
    at = ratings.index(own)
    return ratings[:at] + ratings[at + 1 :]


def chance(ratings):
    counts = Counter(ratings)
    ways = factorial(len(ratings)) / prod(factorial(count) for count in counts.values())
    return ways * prod(TYPICAL[rating - 1] for rating in ratings)
