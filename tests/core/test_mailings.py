"""When mail may go: in office hours, once a working day, early enough, and never more often for having asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.core import mailings
from survey.core.mailings import CONSIDERATE, MARGIN, Pace, Planned, Slot

VIENNA, NEW_YORK, AUCKLAND, KOLKATA = map(
    ZoneInfo, ("Europe/Vienna", "America/New_York", "Pacific/Auckland", "Asia/Kolkata")
)
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

zones = st.sampled_from([UTC, VIENNA, NEW_YORK, AUCKLAND, KOLKATA])
# Over both changes of the clocks.
moments = st.integers(0, 364 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@pytest.mark.parametrize(
    ("moment", "zone", "is_one"),
    [
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), UTC, True),
        (datetime(2026, 3, 2, 8, 59, tzinfo=UTC), UTC, False),
        (datetime(2026, 3, 2, 16, 59, tzinfo=UTC), UTC, True),
        (datetime(2026, 3, 2, 17, 0, tzinfo=UTC), UTC, False),
        (datetime(2026, 3, 2, 9, 0, tzinfo=UTC), NEW_YORK, False),
        (datetime(2026, 3, 1, 20, 0, tzinfo=UTC), AUCKLAND, True),  # Monday there
        (datetime(2026, 3, 7, 12, 0, tzinfo=UTC), UTC, False),  # a Saturday
        (datetime(2026, 3, 30, 7, 30, tzinfo=UTC), VIENNA, True),  # since yesterday it is an hour later there
        (datetime(2026, 3, 27, 7, 30, tzinfo=UTC), VIENNA, False),
    ],
)
def test_office_hours_are_from_nine_to_five_where_the_person_is(moment, zone, is_one):
    assert mailings.is_office_hour(moment, zone) is is_one


@given(moments, zones)
def test_the_next_office_moment_is_one_and_none_lies_before_it(moment, zone):
    found = mailings.next_office_moment(moment, zone)
    assert found >= moment
    assert mailings.is_office_hour(found, zone)
    probe = moment
    while probe < found:
        assert not mailings.is_office_hour(probe, zone)
        probe += timedelta(minutes=30)


@given(moments, zones, st.integers(-3, 3))
def test_a_day_that_had_its_mail_gets_no_second_one(now, zone, days):
    last = mailings.local_day(now, zone) + timedelta(days=days)
    moment = CONSIDERATE.may_go_at(now, zone, last_day=last)
    assert mailings.local_day(moment, zone) > last
    assert mailings.is_office_hour(moment, zone)


def test_an_invitation_that_would_come_after_the_end_goes_out_of_hours():
    friday_evening = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
    sunday = datetime(2026, 3, 8, 20, 0, tzinfo=UTC)
    assert CONSIDERATE.may_go_at(friday_evening, UTC, last_day=None, until=sunday) == friday_evening
    spent = CONSIDERATE.may_go_at(friday_evening, UTC, last_day=date(2026, 3, 6), until=sunday)
    assert spent == datetime(2026, 3, 7, tzinfo=UTC)


def test_a_demo_holds_nothing_back():
    at_night = datetime(2026, 3, 7, 3, 0, tzinfo=UTC)
    at_once = Pace(is_considerate=False)
    assert at_once.may_go_at(at_night, UTC, last_day=date(2026, 3, 7)) == at_night
    assert at_once.plan(at_night, at_night + timedelta(days=14), UTC)[0].due_at == at_night


def test_a_round_of_two_weeks_is_announced_and_reminded_of_three_times():
    plan = CONSIDERATE.plan(MONDAY, datetime(2026, 3, 17, tzinfo=UTC), UTC)
    assert [(each.slot, each.due_at.strftime("%a %d %H:%M")) for each in plan] == [
        (Slot.OPENING, "Mon 02 09:00"),
        (Slot.HALF_TIME, "Mon 09 16:30"),
        (Slot.THREE_DAYS, "Fri 13 09:00"),  # the 14th would be a Saturday: Monday is for the last one
        (Slot.ONE_DAY, "Mon 16 09:00"),
    ]


def test_the_last_reminder_before_a_weekend_at_the_end_comes_on_the_friday():
    ends_on_sunday = datetime(2026, 3, 16, tzinfo=UTC)
    plan = CONSIDERATE.plan(MONDAY, ends_on_sunday, UTC)
    assert plan[-1].due_at.strftime("%a %d %H:%M") == "Fri 13 09:00"


@given(moments, zones, st.timedeltas(timedelta(days=1), timedelta(days=60)))
def test_every_mailing_of_a_plan_has_a_working_day_of_its_own_before_the_end(opens_at, zone, length):
    closes_at = opens_at + length
    plan = CONSIDERATE.plan(opens_at, closes_at, zone)
    assert plan[0].slot is Slot.OPENING
    assert opens_at <= plan[0].due_at < closes_at
    assert len(plan) <= 4
    days = [mailings.local_day(each.due_at, zone) for each in plan]
    assert days == sorted(set(days))
    for each in plan[1:]:
        assert mailings.is_office_hour(each.due_at, zone)
        assert each.due_at <= closes_at - MARGIN or each.due_at <= closes_at - timedelta(days=1)
    if mailings.next_office_moment(opens_at, zone) < closes_at:
        assert mailings.is_office_hour(plan[0].due_at, zone)


@given(
    moments,
    zones,
    st.timedeltas(timedelta(days=1), timedelta(days=60)),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 3, 1))),
)
def test_on_a_holiday_nobody_is_mailed_or_reminded(opens_at, zone, length, days):
    pace = Pace(days_off=dict.fromkeys(days, "A holiday"))
    closes_at = opens_at + length
    opening, *reminders = pace.plan(opens_at, closes_at, zone)
    assert not {mailings.local_day(each.due_at, zone) for each in reminders} & days
    if mailings.next_office_moment(opens_at, zone, days_off=days) < closes_at:
        assert mailings.local_day(opening.due_at, zone) not in days
    assert not {*mailings.days_to_choose(opens_at, closes_at, zone, days)} & days


def test_a_reminder_that_falls_on_a_holiday_comes_the_working_day_before_or_after():
    fifth = Pace(days_off={date(2026, 3, 9): "", date(2026, 3, 13): "", date(2026, 3, 16): ""})
    plan = fifth.plan(MONDAY, datetime(2026, 3, 17, tzinfo=UTC), UTC)
    assert [each.due_at.strftime("%a %d %H:%M") for each in plan] == [
        "Mon 02 09:00",
        "Tue 10 09:00",
        "Wed 11 09:00",
        "Thu 12 09:00",
    ]


@given(moments, zones, st.timedeltas(timedelta(days=10), timedelta(days=60)))
def test_no_working_day_is_left_between_the_last_reminder_and_the_last_days(opens_at, zone, length):
    closes_at = opens_at + length
    last = CONSIDERATE.plan(opens_at, closes_at, zone)[-1]
    assert last.slot is not Slot.OPENING
    assert closes_at - last.due_at <= timedelta(days=5)


@given(moments, zones, st.timedeltas(timedelta(days=1), timedelta(days=40)), st.data())
def test_who_asks_for_a_day_is_reminded_on_it_not_before_and_never_more_often(now, zone, left, data):
    closes_at = now + left
    days = mailings.days_to_choose(now, closes_at, zone)
    assert len(days) <= mailings.CHOICES
    if not days:
        return
    day = data.draw(st.sampled_from(days))
    pending = [
        Planned(slot, due_at)
        for slot, due_at in zip(
            (Slot.HALF_TIME, Slot.THREE_DAYS, Slot.ONE_DAY),
            sorted(
                data.draw(
                    st.lists(
                        st.datetimes(now.replace(tzinfo=None), closes_at.replace(tzinfo=None), timezones=st.just(UTC)),
                        max_size=3,
                    )
                )
            ),
            strict=False,
        )
    ]
    left_over = mailings.snoozed(pending, day, zone)
    assert len(left_over) <= max(1, len(pending))
    assert mailings.local_day(left_over[0].due_at, zone) == day
    assert mailings.is_office_hour(left_over[0].due_at, zone)
    assert now < left_over[0].due_at <= closes_at - MARGIN
    assert all(mailings.local_day(each.due_at, zone) > day for each in left_over[1:])
