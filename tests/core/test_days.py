"""Days: one rule for every zone, also where midnight comes twice, or not at all."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import cycles, days
from survey.core.days import End
from survey.core.errors import BadInput
from survey.core.mailings import CONSIDERATE, Slot

ZONES = st.sampled_from(sorted(zoneinfo.available_timezones())).map(ZoneInfo)
DAYS = st.dates(date(1999, 1, 1), date(2037, 12, 31))
SECOND = timedelta(seconds=1)
NEVER_WERE = {("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Fakaofo", date(2011, 12, 30))}

ODD = [
    ("America/Sao_Paulo", date(2018, 11, 3)),  # the next day begins at one
    ("America/Sao_Paulo", date(2018, 2, 17)),  # its last hour comes twice
    ("America/St_Johns", date(2010, 11, 6)),  # midnight comes twice, a minute apart from an hour
    ("America/Havana", date(2026, 10, 31)),  # the first hour of the next day comes twice
    ("Australia/Lord_Howe", date(2026, 4, 4)),  # half an hour of daylight saving
    ("Asia/Kathmandu", date(2026, 3, 10)),
    ("Pacific/Apia", date(2011, 12, 29)),  # the next day never was
    ("Pacific/Kiritimati", date(2026, 3, 10)),
    ("Europe/Vienna", date(2026, 3, 29)),  # 23 hours
    ("Europe/Vienna", date(2026, 10, 25)),  # 25 hours
]


def ends_where_it_should(day, zone):
    end = days.end_of(day, zone)
    assert days.last_day(end, zone) == day
    assert days.local_day(end - SECOND, zone) == day
    assert days.local_day(end, zone) > day
    assert days.start_of(day, zone) < end
    assert days.days_left(end, zone, end - SECOND) == 0


@given(day=DAYS, zone=ZONES)
def test_the_last_day_of_what_ends_with_a_day_is_that_day_in_every_zone(day, zone):
    if (zone.key, day) not in NEVER_WERE:
        ends_where_it_should(day, zone)


@pytest.mark.parametrize(("zone", "day"), ODD)
def test_it_is_so_where_midnight_is_odd(zone, day):
    ends_where_it_should(day, ZoneInfo(zone))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 1), 24)])
def test_a_day_has_as_many_hours_as_its_clocks_make_it(day, hours):
    vienna = ZoneInfo("Europe/Vienna")
    assert days.end_of(day, vienna) - days.start_of(day, vienna) == timedelta(hours=hours)


def test_a_day_at_the_end_of_the_calendar_is_refused():
    with pytest.raises(BadInput, match="no later than in the year 2999"):
        days.end_of(date.max, UTC)


@given(day=st.dates(date(2020, 1, 8), date(2037, 12, 1)), zone=ZONES, left=st.integers(0, 6))
def test_so_many_days_are_left_from_midnight_to_midnight(day, zone, left):
    end = days.end_of(day, zone)
    before = day - timedelta(days=left)
    for moment in (days.start_of(before, zone), days.end_of(before, zone) - SECOND):
        assert days.days_left(end, zone, moment) == left


@given(day=st.dates(date(2020, 2, 1), date(2037, 12, 1)), of=ZONES, theirs=ZONES)
def test_a_reminder_of_some_days_before_goes_on_the_day_on_which_so_many_are_left(day, of, theirs):
    """For everybody: office hours come once within the 24 hours of a working day, wherever one is."""
    end = days.end_of(day, of)
    for planned in CONSIDERATE.plan(end - timedelta(days=14), end, theirs, of=of):
        before = {Slot.THREE_DAYS: 3, Slot.ONE_DAY: 1}.get(planned.slot)
        if before is None:
            continue
        meant = day - timedelta(days=before)
        begins, ends = days.start_of(meant, of), days.end_of(meant, of)
        sent_on = days.local_day(planned.due_at, theirs)
        if begins <= planned.due_at < ends:
            assert days.days_left(end, of, planned.due_at) == before
        else:
            # A weekend was in the way.
            nearby = {sent_on + timedelta(days=number) for number in range(-4, 5)}
            assert any(one.weekday() >= 5 for one in nearby)


def test_the_last_reminders_are_of_the_days_that_their_names_say():
    los_angeles = ZoneInfo("America/Los_Angeles")
    end = days.end_of(date(2026, 3, 13), los_angeles)
    slots = {
        one.slot: days.local_day(one.due_at, los_angeles)
        for one in cycles.reminders(end - timedelta(14), end, los_angeles)
    }
    assert slots["three-days"] == date(2026, 3, 10)
    assert slots["one-day"] == date(2026, 3, 12)


LOS_ANGELES, AUCKLAND, BERLIN = (
    ZoneInfo(name) for name in ("America/Los_Angeles", "Pacific/Auckland", "Europe/Berlin")
)


def test_whoever_lives_elsewhere_reads_the_moment_in_their_zone_which_is_named():
    end = days.end_of(date(2026, 3, 10), LOS_ANGELES)
    assert End(end, LOS_ANGELES, LOS_ANGELES).words == "Tuesday 10 March 2026"
    assert End(end, LOS_ANGELES, AUCKLAND).words == "Wednesday 11 March 2026, 20:00 (Auckland time)"
    assert End(end, LOS_ANGELES, UTC).words == "Wednesday 11 March 2026, 07:00 (UTC)"
    assert (
        End(days.end_of(date(2026, 3, 10), BERLIN), BERLIN, ZoneInfo("Europe/Vienna")).words == "Tuesday 10 March 2026"
    )


def test_their_days_are_counted_to_that_moment():
    end = End(days.end_of(date(2026, 3, 10), LOS_ANGELES), LOS_ANGELES, AUCKLAND)
    assert end.days_left(datetime(2026, 3, 10, 10, 59, tzinfo=UTC)) == 1  # Tuesday, 23:59 there
    assert end.days_left(datetime(2026, 3, 10, 11, 0, tzinfo=UTC)) == 0


def test_a_day_apart_ends_at_a_midnight_that_is_said():
    kiritimati, honolulu = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Honolulu")
    end = End(days.end_of(date(2026, 3, 10), kiritimati), kiritimati, honolulu)
    assert end.words == "Monday 9 March 2026, midnight (Honolulu time)"


@pytest.mark.parametrize(
    ("zone", "said"),
    [("America/Argentina/Buenos_Aires", "Buenos Aires time"), ("Etc/GMT+5", "Etc/GMT+5"), ("UTC", "UTC")],
)
def test_a_zone_is_named_as_people_name_it(zone, said):
    assert days.place(ZoneInfo(zone)) == said
