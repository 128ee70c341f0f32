"""Plans: what fits into one, when its check-in may be, and where its steps stand beside the next report."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from survey.core import plans
from survey.core.errors import BadInput
from survey.core.plans import Plan, Step
from tests import portraits

TODAY = date(2026, 3, 16)
PAGE = "Product Stability, level 3"


def test_steps_are_cleaned_and_each_is_kept_once():
    steps = [Step("  Write\n a test ", PAGE), Step("Write a test", PAGE), Step("   ", PAGE, is_own=True)]
    assert plans.check_steps(steps) == (Step("Write a test", PAGE),)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([Step(" ", PAGE)], "at least one habit"),
        ([Step(f"Step {number}", PAGE) for number in range(6)], "at most 5"),
        ([Step("x" * 301, PAGE)], "300 fit"),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_with_the_reason(steps, why):
    with pytest.raises(BadInput, match=why):
        plans.check_steps(steps)


@pytest.mark.parametrize("day", [date(2026, 3, 16), date(2026, 3, 1), date(2027, 6, 1)])
def test_a_check_in_is_in_the_future_and_within_a_year(day):
    with pytest.raises(BadInput, match="check-in"):
        plans.check_day(day, today=TODAY)


def test_the_day_that_stood_there_may_stay_and_none_is_a_choice():
    past = date(2026, 3, 1)
    assert plans.check_day(past, today=TODAY, before=past) == past
    assert plans.check_day(None, today=TODAY) is None
    assert plans.check_day(date(2026, 3, 17), today=TODAY) == date(2026, 3, 17)


def test_the_reminder_goes_out_in_the_morning_where_its_reader_lives():
    assert plans.reminder_at(TODAY, UTC) == datetime(2026, 3, 16, 8, tzinfo=UTC)
    assert plans.reminder_at(TODAY, ZoneInfo("Asia/Tokyo")) == datetime(2026, 3, 15, 23, tzinfo=UTC)


def test_a_note_keeps_its_lines_and_has_an_end():
    assert plans.check_note(" It went well.  \r\nMostly.\n") == "It went well.\nMostly."
    with pytest.raises(BadInput, match="2,000 fit"):
        plans.check_note("x" * 2001)


def test_every_step_has_exactly_one_place_beside_the_next_report():
    report = portraits.edition("rich").report
    (chapter,) = report.chapters
    row = chapter.rows[0]
    answering = Step("Answers to a sentence", PAGE, row.text)
    beside = Step("Of the same page, a level below", "Product Stability, level 2", "A sentence that is gone")
    elsewhere = Step("Of another page", "Technical Collaboration, level 3")
    plan = plan_of(answering, beside, elsewhere)
    assert plan.answering(row) == (answering,)
    assert plan.beside(chapter) == (beside,)
    assert plan.elsewhere(report.chapters) == (elsewhere,)
    assert all(plan.answering(other) == () for other in chapter.rows[1:])


def plan_of(*steps: Step) -> Plan:
    closed = datetime(2026, 3, 16, tzinfo=UTC)
    return Plan(uuid.UUID(int=1), uuid.UUID(int=2), "Sam Rivera", "Spring round", closed, steps, None, "")
