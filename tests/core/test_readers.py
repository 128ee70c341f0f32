"""Who may read a report, as rules."""

from __future__ import annotations

import pytest

from survey.core.readers import Word, may_take_back, settled

CHART = {"sam": "marta", "marta": "olga", "olga": None}


def test_those_above_at_the_opening_and_at_the_release_may_read_from_the_top_down():
    assert settled("sam", ["olga", "marta"], CHART) == ("olga", "marta")


@pytest.mark.parametrize("between", ["sam", "marta", "olga"])
def test_whoever_comes_between_the_opening_and_the_release_is_none_of_them(between):
    chart = CHART | {between: "noor", "noor": CHART[between]}
    assert "noor" not in settled("sam", ["olga", "marta"], chart)


def test_who_left_the_chart_before_the_release_is_none_of_them():
    assert settled("sam", ["olga", "marta"], CHART | {"sam": "olga"}) == ("olga",)
    assert settled("sam", ["olga", "marta"], CHART | {"sam": None}) == ()


def test_in_a_circle_everybody_has_one_place_and_nobody_reads_as_their_own_manager():
    circle = {"sam": "marta", "marta": "sam"}
    assert "sam" not in settled("sam", None, circle)


def test_the_subject_takes_back_what_they_gave_and_what_a_former_manager_had():
    assert may_take_back(Word.GIVEN, is_manager=True)
    assert may_take_back(Word.SETTLED, is_manager=False)
    assert not may_take_back(Word.SETTLED, is_manager=True)
    assert not may_take_back(Word.ASKED, is_manager=True)
