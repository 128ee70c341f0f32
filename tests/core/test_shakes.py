"""What goes into one shake: everything new, in company, and not too much at once."""

from __future__ import annotations

import random
import uuid

from hypothesis import given
from hypothesis import strategies as st

from survey.core import shakes
from survey.core.shakes import COMPANY, PORTION, Held

REVIEWS = st.lists(
    st.builds(
        lambda answers, new: Held(uuid.uuid4(), answers, max(0, answers - new)),
        st.integers(1, 40),
        st.integers(0, 3),
    ),
    max_size=200,
)


@given(REVIEWS, st.randoms())
def test_every_review_with_a_new_answer_is_shaken_once_and_in_company(reviews, dice):
    portions = shakes.portions(reviews, shuffle=dice.shuffle)
    chosen = [review_id for portion in portions for review_id in portion]
    new = {review.review_id for review in reviews if review.has_new}
    size = {review.review_id: review.answers for review in reviews}
    assert len(chosen) == len(set(chosen))
    assert new <= set(chosen)
    assert not chosen or sum(size[each] for each in chosen) >= min(COMPANY, sum(size.values()))
    assert all(sum(size[each] for each in portion) < PORTION + 40 for portion in portions)


def test_nothing_is_shaken_where_nothing_is_new():
    held = [Held(uuid.uuid4(), 5, 5), Held(uuid.uuid4(), 1, 1)]
    assert shakes.portions(held, shuffle=random.shuffle) == []
