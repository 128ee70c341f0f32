"""The end of a round: which last days get a warning, and why."""

from __future__ import annotations

from datetime import date

import pytest

from survey.core.cycles import about_the_end

DAYS_OFF = {date(2026, 5, 14): "Ascension Day (AT)", date(2026, 10, 26): "National Day (AT)"}


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2026, 5, 14), "is a holiday: Ascension Day (AT)"),
        (date(2026, 5, 13), "is the day before a holiday: Ascension Day (AT)"),
        (date(2026, 5, 15), "is the day after a holiday: Ascension Day (AT)"),
        (date(2026, 10, 25), "is a Sunday"),
        (date(2026, 12, 28), "falls into the holidays of many"),
    ],
)
def test_a_last_day_on_which_few_people_work_gets_a_warning_that_leads_to_the_dates(day, said):
    warning = about_the_end(day, DAYS_OFF)
    assert said in warning.message
    assert warning.mend == "dates"


@pytest.mark.parametrize("day", [date(2026, 5, 12), date(2026, 5, 18), date(2026, 10, 28)])
def test_another_working_day_gets_none(day):
    assert about_the_end(day, DAYS_OFF) is None


def test_where_no_holidays_are_known_only_weekends_and_the_turn_of_the_year_are_told():
    assert about_the_end(date(2026, 5, 14)) is None
    assert about_the_end(date(2026, 5, 16)) is not None
