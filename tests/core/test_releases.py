"""Who may read a report, and from when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from survey.core import releases
from survey.core.access import Standing
from survey.core.cycles import Phase
from survey.core.errors import BadInput

NOW = datetime(2026, 3, 16, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase not in releases.READABLE])
@pytest.mark.parametrize("is_held", [False, True])
def test_before_the_release_nobody_reads(phase, is_held):
    assert releases.readers(phase, is_held=is_held) == frozenset()


@pytest.mark.parametrize("phase", releases.READABLE)
def test_after_the_release_managers_read_and_subjects_once_nothing_is_held_back(phase):
    assert releases.readers(phase, is_held=True) == {Standing.MANAGES}
    assert releases.readers(phase, is_held=False) == {Standing.MANAGES, Standing.OWN}


def test_subjects_get_their_report_on_the_morning_of_their_day():
    assert releases.held_until(NOW, 0, UTC) is None
    assert releases.held_until(NOW, 3, UTC) == datetime(2026, 3, 19, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize("days", [None, -1, 0, 31])
def test_a_number_of_days_that_makes_no_sense_is_refused(days):
    with pytest.raises(BadInput, match="1 to 30 days"):
        releases.check_days(days)


@pytest.mark.parametrize("days", [1, 3, 30])
def test_a_sensible_number_of_days_is_taken(days):
    assert releases.check_days(days) == days
