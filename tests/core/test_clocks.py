"""When the clock is believed: after seconds, nights and weeks off; not after a jump, forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core.clocks import TOLERANCE, Reading, Sweeps, is_believed

THEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
SWEEPS = st.sampled_from(list(Sweeps))
PASSED = st.timedeltas(timedelta(0), timedelta(days=3))
BACK = st.timedeltas(TOLERANCE + timedelta(seconds=1), YEARS)
SMALL = st.timedeltas(-TOLERANCE, TOLERANCE)


def up(at, uptime, boot="one"):
    return Reading(at, boot, uptime)


@given(sweeps=SWEEPS, now=st.datetimes(timezones=st.just(UTC)))
def test_the_first_look_is_believed(sweeps, now):
    assert is_believed(sweeps, None, Reading(now))


@given(sweeps=SWEEPS, passed=PASSED, off=SMALL)
def test_a_clock_that_is_put_right_by_less_than_a_day_is_believed(sweeps, passed, off):
    last = up(THEN, timedelta(hours=5))
    assert is_believed(sweeps, last, up(THEN + passed + off, timedelta(hours=5) + passed))


@given(
    sweeps=SWEEPS, passed=st.timedeltas(timedelta(0), timedelta(days=3)), jump=st.timedeltas(timedelta(days=2), YEARS)
)
def test_a_jump_that_a_running_machine_sees_is_not_believed_either_way(sweeps, passed, jump):
    last = up(THEN, timedelta(hours=5))
    for at in (THEN + passed + jump, THEN + passed - jump):
        assert not is_believed(sweeps, last, up(at, timedelta(hours=5) + passed))


@given(
    sweeps=SWEEPS, back=st.timedeltas(TOLERANCE + timedelta(seconds=1), YEARS), boot=st.sampled_from(["one", "two", ""])
)
def test_a_clock_that_went_back_is_not_believed_whatever_else_is_known(sweeps, back, boot):
    assert not is_believed(sweeps, up(THEN, timedelta(0)), up(THEN - back, timedelta(0), boot))


@given(off=st.timedeltas(timedelta(0), YEARS))
def test_a_machine_that_was_off_goes_on_by_itself_with_less_the_longer_it_was_off(off):
    now = up(THEN + off, timedelta(minutes=1), "two")
    steps, deletions = (is_believed(sweeps, up(THEN, timedelta(days=9)), now) for sweeps in Sweeps)
    assert steps == (off <= Sweeps.STEPS.longest_pause)
    assert deletions == (off <= Sweeps.DELETIONS.longest_pause)
    assert steps or not deletions


@pytest.mark.parametrize(
    ("days", "steps", "deletions"), [(1, True, True), (3, True, True), (14, True, False), (60, False, False)]
)
def test_after_two_weeks_off_rounds_close_and_nothing_is_deleted(days, steps, deletions):
    now = Reading(THEN + timedelta(days=days))
    assert is_believed(Sweeps.STEPS, Reading(THEN), now) is steps
    assert is_believed(Sweeps.DELETIONS, Reading(THEN), now) is deletions


def test_a_machine_that_slept_knows_how_long():
    """What counts as up counts sleep, so that a laptop that was closed for a week is believed."""
    week = timedelta(days=7)
    assert is_believed(Sweeps.STEPS, up(THEN, timedelta(0)), up(THEN + week, week))
