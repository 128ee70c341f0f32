"""The auditor alone, against searches that need no algebra. On random rounds under attack: tests/attacks, A8."""

from __future__ import annotations

import random
from contextlib import nullcontext
from itertools import chain, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey.core import auditor
from survey.core.auditor import audit, smallest_isolated
from survey.core.errors import Unsafe


def test_a_set_of_k_that_nothing_crosses_is_safe():
    audit([("a", frozenset(range(4))), ("a", frozenset(range(4, 8))), ("b", frozenset(range(6)))], k=4)


@pytest.mark.parametrize(
    "sets",
    [
        [range(3)],
        [range(4), range(6)],  # The total betrays the two who are not in the group.
        [range(4), range(2, 6), range(2), range(6, 12)],
        [range(6), range(4, 10), range(4), range(4, 6)],
        [(0, 1, 2, 3), (3, 4, 5, 6), (0, 1, 2, 4, 5, 6)],  # The sum of two less the third: twice rater 3.
    ],
)
def test_sums_and_differences_that_rest_on_fewer_than_k_are_refused(sets):
    with pytest.raises(Unsafe, match="isolate fewer than 4 raters"):
        audit([("a", frozenset(raters)) for raters in sets], k=4)


def test_figures_of_different_items_are_not_combined():
    audit([("a", frozenset(range(4))), ("b", frozenset(range(6)))], k=4)


def test_two_raters_are_refused_by_the_insider_alone():
    """What forbids a minimum of 2: no sum rests on fewer, and yet each knows the other."""
    with pytest.raises(Unsafe, match="One rater could isolate another"):
        audit([("a", frozenset({0, 1}))], k=2)


def test_an_unsafe_item_is_found_behind_any_number_of_safe_ones():
    safe = [(f"item {number}", frozenset(range(5))) for number in range(30)]

    with pytest.raises(Unsafe, match="The figures for last"):
        audit([*safe, ("last", frozenset(range(5))), ("last", frozenset(range(7)))], k=4)


def test_the_smallest_set_is_named():
    sets = [frozenset(range(12)), frozenset(range(9)), frozenset(range(4, 9)), frozenset({20, 21})]

    assert smallest_isolated(sets, below=4) == {20, 21}
    assert smallest_isolated(sets, below=2) is None


@settings(max_examples=200)
@given(
    sets=st.lists(st.frozensets(st.integers(0, 6), min_size=1), min_size=1, max_size=4),
    below=st.integers(2, 5),
)
def test_the_auditor_finds_whatever_small_coefficients_find(sets, below):
    """Coefficients from -2 to 2 reach all that four sets can isolate: they are minors of three rows of 0 and 1."""
    smallest = min((len(support) for support in supports(sets)), default=None)

    found = smallest_isolated(sets, below=below)

    assert (found is None) is (smallest is None or smallest >= below)
    assert found is None or len(found) == smallest


@settings(max_examples=200)
@given(
    sets=st.lists(st.frozensets(st.integers(0, 8), min_size=1), min_size=1, max_size=4),
    k=st.integers(3, 5),
    names=st.permutations(range(9)),
)
def test_what_the_auditor_remembers_of_a_shape_is_what_a_search_among_the_raters_finds(sets, k, names):
    is_unsafe = smallest_isolated(set(sets), below=k) is not None or any(
        smallest_isolated({raters - {insider} for raters in sets}, below=2) is not None
        for insider in frozenset().union(*sets)
    )
    for others in (sets, [frozenset(names[rater] for rater in raters) for raters in sets]):
        with pytest.raises(Unsafe) if is_unsafe else nullcontext():
            audit([("a", raters) for raters in others], k=k)


def test_groups_of_k_that_do_not_overlap_need_no_search_however_many_figures_there_are(monkeypatch):
    monkeypatch.setattr(auditor, "_rank", None)
    chance = random.Random(0)
    footing = [
        (f"item {item}", frozenset(chance.sample(range(12 * group, 12 * group + 12), 6 + item % 7)))
        for item in range(30)
        for group in range(3)
    ]

    audit(footing, k=6)


def supports(sets):
    """The raters on whom combinations of the sets with small coefficients rest."""
    everybody = sorted(frozenset(chain.from_iterable(sets)))
    for coefficients in product(range(-2, 3), repeat=len(sets)):
        rows = list(zip(coefficients, sets, strict=True))
        if support := [rater for rater in everybody if sum(times for times, raters in rows if rater in raters)]:
            yield support
