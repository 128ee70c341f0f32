"""Withholding a comment: when, and with what reason."""

from __future__ import annotations

import pytest

from survey.core import comments
from survey.core.comments import Reason
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep

COMMENT = "He never tests anything before a release, and you can tell."


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.TALLIED}))
def test_comments_are_looked_through_between_the_count_and_the_release_only(phase):
    with pytest.raises(IllegalStep):
        comments.check_phase(phase)
    comments.check_phase(Phase.TALLIED)


def test_an_explanation_is_needed_only_where_nothing_else_says_why():
    assert comments.check_reason(Reason.ABUSE, "", COMMENT) == ""
    with pytest.raises(BadInput, match="your own words"):
        comments.check_reason(Reason.OTHER, " \n", COMMENT)
    assert comments.check_reason(Reason.OTHER, " It is about\nsomebody else. ", COMMENT) == "It is about somebody else."


def test_an_explanation_is_brief():
    comments.check_reason(Reason.ABUSE, "x" * 500, COMMENT)
    with pytest.raises(BadInput, match="500"):
        comments.check_reason(Reason.ABUSE, "x" * 501, COMMENT)


@pytest.mark.parametrize(
    ("explanation", "text"),
    [
        ("It says “never tests ANYTHING before”.", COMMENT),
        ("he never\ntests anything", COMMENT),
        ("Somebody wrote: useless", "Useless!"),
        ("They say he is lazy", "Is lazy"),
    ],
)
def test_an_explanation_that_repeats_the_comment_is_refused(explanation, text):
    with pytest.raises(BadInput, match="repeat"):
        comments.check_reason(Reason.ABUSE, explanation, text)


@pytest.mark.parametrize(
    ("explanation", "text"),
    [
        ("It attacks him before a release.", COMMENT),
        ("Tests are not meant; anything else is an insult.", COMMENT),
        ("It is unkind", ":-("),
        ("", COMMENT),
    ],
)
def test_words_that_are_the_same_by_chance_are_no_quotation(explanation, text):
    comments.check_reason(Reason.ABUSE, explanation, text)
