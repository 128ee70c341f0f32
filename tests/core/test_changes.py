"""Change since the last round: only what both reports show, only the same sentence on the same scale."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import changes, samples, sentences, statistics
from survey.core.changes import Earlier
from survey.core.disclosure import Band, Cell, Group
from survey.core.labels import Change
from survey.core.questionnaires import EVERYBODY, FREQUENCY, READINESS, Item, Part, Questionnaire, Scale
from survey.core.sections import Section
from survey.core.statistics import Few, Moments
from tests import portraits

ITEM = Item("1.key_behaviors.1", Section.KEY_BEHAVIORS, "Leads discussions", FREQUENCY, EVERYBODY)
PART = Part("page", "Stability", 3, 1, "", (ITEM,))


def test_a_change_whose_interval_leaves_out_zero_is_clearer_than_chance():
    (movement,) = moved([2, 2, 3, 2], [4, 4, 5, 4])
    welch = statistics.welch_change(Few(4, 2.25, 0.9), Few(4, 4.25, 0.9))
    assert (movement.group, movement.change, movement.difference) == (Group.PEER, Change.CLEAR, 2)
    assert (movement.low, movement.high) == (welch.low, welch.high)


def test_a_change_within_chance_is_no_clear_change():
    (movement,) = moved([3, 4, 2, 3], [4, 3, 4, 3])
    assert movement.change is Change.UNCLEAR


@given(st.lists(st.integers(1, 5), min_size=4, max_size=12), st.lists(st.integers(1, 5), min_size=4, max_size=12))
def test_the_word_is_clear_only_where_zero_lies_outside_the_interval(before, after):
    for movement in moved(before, after):
        clear = movement.low is not None and not movement.low <= 0 <= movement.high
        assert (movement.change is Change.CLEAR) is clear


@pytest.mark.parametrize(
    "then",
    [
        replace(ITEM, text="Leads some discussions"),
        replace(ITEM, section=Section.SUCCESS_INDICATORS),
        replace(ITEM, scale=Scale(("No", "A bit", "So so", "Mostly", "Yes"), "Not observed")),
        replace(ITEM, scale=Scale(FREQUENCY.labels, "No idea")),
    ],
    ids=["other words", "other section", "other labels", "other opt-out"],
)
def test_another_sentence_or_another_scale_is_not_compared(then):
    assert moved([2, 2, 3, 2], [4, 4, 5, 4], then=then) == ()


def test_of_six_and_more_their_own_spread_counts_and_of_fewer_that_of_their_round():
    few, many = [2, 2, 3, 2], [4, 4, 5, 4, 4, 5]
    (movement,) = moved(few, many, spreads={5: 0.6}, typical=1.2)
    welch = statistics.welch_change(Few(4, 2.25, 0.6), Moments.of(many))
    assert (movement.low, movement.high) == (welch.low, welch.high)
    (back,) = moved(many, few, spreads={5: 0.6}, typical=1.2)
    welch = statistics.welch_change(Moments.of(many), Few(4, 2.25, 1.2))
    assert (back.low, back.high) == (welch.low, welch.high)


def test_another_competency_is_not_compared_and_another_key_does_not_matter():
    assert moved([2, 2, 3, 2], [4, 4, 5, 4], part=replace(PART, competency="Mentoring")) == ()
    assert moved([2, 2, 3, 2], [4, 4, 5, 4], then=replace(ITEM, key="7.key_behaviors.3"))


def test_a_sentence_that_the_earlier_round_asked_twice_is_not_compared():
    twice = Questionnaire((replace(PART, items=(ITEM, replace(ITEM, key="1.key_behaviors.2"))),))
    cells = [cell([2, 2, 3, 2]), replace(cell([2, 2, 2, 2]), item="1.key_behaviors.2")]
    after = {Group.PEER: cell([4, 4, 5, 4])}
    assert changes.movements(PART, ITEM, after, Earlier("Autumn", twice, cells), k=4) == ()


def test_too_few_on_either_side_say_nothing():
    assert moved([2, 2, 3, 2], [4, 4, 5, 4], k=5) == ()


def test_a_band_a_pooled_group_self_and_manager_are_not_compared():
    banded = Cell(ITEM.key, Group.PEER, 4, band=Band.HIGH)
    earlier = Earlier("Autumn", Questionnaire((PART,)), [cell([2, 2, 3, 2])])
    assert changes.movements(PART, ITEM, {Group.PEER: banded}, earlier, k=4) == ()
    for group in (Group.POOLED, Group.SELF, Group.MANAGER):
        before, after = (replace(cell(ratings), group=group) for ratings in ([2, 2, 3, 2], [4, 4, 5, 4]))
        earlier = Earlier("Autumn", Questionnaire((PART,)), [before])
        assert changes.movements(PART, ITEM, {group: after}, earlier, k=4) == ()


def test_yes_and_no_are_not_followed():
    item = replace(ITEM, section=Section.SIGNALS_READY_TO_LEVEL_UP, scale=READINESS)
    earlier = Earlier("Autumn", Questionnaire((replace(PART, items=(item,)),)), [cell([1, 1, 1, 2])])
    assert changes.movements(PART, item, {Group.PEER: cell([2, 2, 2, 1])}, earlier, k=4) == ()


def test_without_an_earlier_round_nothing_is_said_of_change():
    report = portraits.edition("rich").report
    assert report.compared_with == ""
    assert not any(sentences.moved(row, report) for row in report.rows.values())


def test_the_report_names_the_round_that_it_compares_with():
    report = portraits.edition("rich", with_earlier=True).report
    said = {sentences.moved(row, report) for row in report.rows.values()}
    assert report.compared_with == "Autumn round"
    assert "Since Autumn round: no clear change." in said
    assert any("up by" in words and "clearer than chance" in words for words in said)


def test_a_change_rests_on_nothing_but_two_published_cells():
    """A10: whoever reads both reports can work it out, and learns nothing from it that these do not say."""
    before, after = portraits.cells("rich", earlier=True), portraits.cells("rich")
    for row in portraits.edition("rich", with_earlier=True).report.rows.values():
        for movement in row.movements:
            then, now = (
                next(c for c in found if (c.item, c.group) == (row.item, movement.group)) for found in (before, after)
            )
            assert movement.difference == now.total / now.n - then.total / then.n
            welch = statistics.welch_change(samples.of(then, 5, None), samples.of(now, 5, None))
            assert (movement.low, movement.high) == ((welch.low, welch.high) if welch else (None, None))


def moved(before, after, *, then=ITEM, part=PART, k=4, spreads=None, typical=None):
    asked = Questionnaire((replace(part, items=(then,)),))
    earlier = Earlier("Autumn", asked, [replace(cell(before), item=then.key)], spreads or {})
    return changes.movements(PART, ITEM, {Group.PEER: cell(after)}, earlier, k=k, typical=typical)


def cell(ratings):
    counts = tuple(map(ratings.count, range(1, 6))) if len(ratings) >= 6 else None
    return Cell(ITEM.key, Group.PEER, len(ratings), sum(ratings), counts)
