"""What a launcher is told of an open review, from counts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core.errors import IllegalStep
from survey.core.participation import Outlook, Participation, judge, require_notice
from survey.core.relationships import Relationship

INVITED = {Relationship.SELF: 1, Relationship.MANAGER: 1, Relationship.PEER: 6}
LONG, SHORT = timedelta(days=8), timedelta(days=2)


@pytest.mark.parametrize(
    ("answered", "declined", "left", "outlook"),
    [
        (5, 0, LONG, Outlook.UNDER_WAY),  # the manager and the self-assessment may be among them
        (6, 0, LONG, Outlook.ENOUGH),
        (5, 0, SHORT, Outlook.AT_RISK),
        (0, 2, LONG, Outlook.UNDER_WAY),
        (0, 3, LONG, Outlook.OUT_OF_REACH),
    ],
)
def test_the_outlook_promises_only_what_holds_whoever_it_was(answered, declined, left, outlook):
    assert judge(INVITED, answered=answered, declined=declined, k=4, left=left).outlook is outlook


def test_more_answers_than_people_asked_are_never_shown():
    assert judge({Relationship.PEER: 4}, answered=5, declined=0, k=4, left=LONG) == Participation(4, 4, Outlook.ENOUGH)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(3, 10))
def test_enough_means_that_k_anonymous_people_have_answered_in_every_case(answered, declined, k):
    told = judge(INVITED, answered=min(answered, 8), declined=declined, k=k, left=LONG)
    if told.outlook is Outlook.ENOUGH:
        assert min(answered, 8) - 2 >= k


def test_whoever_is_asked_later_has_five_days():
    now = datetime(2026, 3, 2, tzinfo=UTC)
    require_notice(now + timedelta(days=5), now)
    with pytest.raises(IllegalStep, match="less than 5 days"):
        require_notice(now + timedelta(days=4, hours=23), now)
