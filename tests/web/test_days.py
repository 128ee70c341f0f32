"""The last day ends when the company's last day ends: on every page, in mails, calendars, lists and commands."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from survey import context
from survey.services import audit
from survey.store.cycles import Cycle
from survey.store.people import Person
from tasks import cycles as sweeps
from tasks import outbox
from tests import commands
from tests.company import csrf

# The last day, as it ends there, by zone of the company.
ENDS = {
    "America/Los_Angeles": datetime(2026, 3, 21, 7, tzinfo=UTC),
    "Pacific/Auckland": datetime(2026, 3, 20, 11, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 3, 20, 18, 15, tzinfo=UTC),
}
LAST = date(2026, 3, 20)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=ENDS)
def zone(request):
    return request.param


@pytest.fixture
def environ(environ, zone):
    return environ | {"SURVEY_TIMEZONE": zone}


def test_an_answer_a_second_before_midnight_there_is_in_and_one_after_it_is_out(company, clock, zone):
    opened_until(company, LAST)
    tokens = company.tokens()
    clock.moment = ENDS[zone] - SECOND
    sweeps.close_due()
    company.answer(tokens["ana"])
    clock.moment = ENDS[zone]
    sweeps.close_due()
    assert company.app.test_client().get(f"/r/{tokens['ben']}").status_code == 410


def test_every_page_mail_list_and_command_names_the_same_last_day(company, clock, zone, mailbox, environ):
    cycle_id = opened_until(company, LAST)
    outbox.sweep()
    mail = mailbox.to("ana@company.test")[0]
    assert "Until Friday 20 March 2026." in mail.get_body(("plain",)).get_content()
    calendar = next(part for part in mail.walk() if part.get_content_type() == "text/calendar").get_content()
    assert "DTSTART;VALUE=DATE:20260320" in calendar
    link = re.search(r"/r/[\w-]+", mail.get_body(("plain",)).get_content()).group()
    clock.moment = ENDS[zone] - SECOND
    assert "Until Friday 20 March 2026, today is the last day" in company.app.test_client().get(link).text
    boss = company.sign_in("noor")
    assert "ends 20 Mar" in boss.get("/rounds").text
    assert "Friday 20 March 2026" in boss.get(f"/rounds/{cycle_id}").text
    assert 'value="2026-03-20"' in boss.get(f"/rounds/{cycle_id}/end").text
    assert "last day 2026-03-20" in commands.survey("cycle", "list", environ=environ).stdout
    with context.reading() as session:
        opened = [entry for entry in audit.newest(session) if "last day" in entry.detail]
    assert {entry.detail["last day"] for entry in opened} == {"2026-03-20"}


def test_whoever_lives_elsewhere_reads_the_moment_in_their_own_zone(company, clock, zone, mailbox):
    with context.transaction() as session:
        session.get_one(Person, company.ids["ana"]).time_zone = "Europe/London"
    opened_until(company, LAST)
    outbox.sweep()
    mail = mailbox.to("ana@company.test")[0]
    said = {
        "America/Los_Angeles": "Until Saturday 21 March 2026, 07:00 (London time)",
        "Pacific/Auckland": "Until Friday 20 March 2026, 11:00 (London time)",
        "Asia/Kathmandu": "Until Friday 20 March 2026, 18:15 (London time)",
    }[zone]
    assert f"{said}." in mail.get_body(("plain",)).get_content()
    calendar = next(part for part in mail.walk() if part.get_content_type() == "text/calendar").get_content()
    assert f"DTEND:{ENDS[zone]:%Y%m%dT%H%M%SZ}" in calendar
    link = re.search(r"/r/[\w-]+", mail.get_body(("plain",)).get_content()).group()
    assert said in company.app.test_client().get(link).text
    assert said not in mailbox.to("ben@company.test")[0].get_body(("plain",)).get_content()


def test_another_zone_in_the_settings_does_not_move_what_was_promised(company, clock, zone):
    cycle_id = opened_until(company, LAST)
    with context.reading() as session:
        row = session.get_one(Cycle, cycle_id)
        assert (row.closes_at, row.time_zone, row.last_day) == (ENDS[zone], zone, LAST)


def test_a_round_opens_and_is_released_in_the_morning_of_the_company(company, clock, zone):
    cycle_id, _ = company.draft()
    boss = company.sign_in("noor")
    set_dates(boss, cycle_id, LAST, opens_on=date(2026, 3, 9))
    with context.reading() as session:
        opens_at = session.get_one(Cycle, cycle_id).opens_at
    here = opens_at.astimezone(context.installation().pace.home)
    assert (here.date(), here.hour, here.minute) == (date(2026, 3, 9), 8, 0)
    assert "From Monday 9 March 2026 to Friday 20 March 2026" in boss.get(f"/rounds/{cycle_id}/setup").text
    assert 'value="2026-03-09"' in boss.get(f"/rounds/{cycle_id}/setup/dates").text


def test_a_draft_that_was_dated_before_is_opened_with_the_company_s_days(company, clock, zone):
    """Rounds from before the company's days are in UTC. Of a draft nobody has been told anything yet."""
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        moment = datetime(2026, 3, 21, tzinfo=UTC)
        session.execute(update(Cycle).values(closes_at=moment, time_zone="UTC"))
    boss = company.sign_in("noor")
    page = boss.get(f"/rounds/{cycle_id}/open").text
    boss.post(f"/rounds/{cycle_id}/open", data={"csrf_token": csrf(page)})
    with context.reading() as session:
        assert session.scalar(select(Cycle.closes_at)) == ENDS[zone]


def test_a_round_that_was_open_before_keeps_its_moment_which_is_said(company, clock, zone, mailbox):
    cycle_id = opened_until(company, LAST)
    moment = datetime(2026, 3, 21, tzinfo=UTC)
    with context.transaction() as session:
        session.execute(update(Cycle).values(closes_at=moment, time_zone="UTC"))
    outbox.sweep()
    text = mailbox.to("ana@company.test")[0].get_body(("plain",)).get_content()
    here = moment.astimezone(context.installation().pace.home)
    assert f"{here:%H:%M} (" in text
    assert f"{here.day} March 2026" in text
    assert "ends 20 Mar" in company.sign_in("noor").get("/rounds").text
    assert cycle_id


def opened_until(company, last):
    """A round that is opened through its pages, whose last day is this one."""
    cycle_id, _ = company.draft()
    boss = company.sign_in("noor")
    set_dates(boss, cycle_id, last)
    page = boss.get(f"/rounds/{cycle_id}/open").text
    assert boss.post(f"/rounds/{cycle_id}/open", data={"csrf_token": csrf(page)}).status_code == 303
    return cycle_id


def set_dates(boss, cycle_id, last, *, opens_on=""):
    page = boss.get(f"/rounds/{cycle_id}/setup/dates").text
    data = {"csrf_token": csrf(page), "opens_on": str(opens_on), "closes_on": str(last), "release": "both"}
    answer = boss.post(
        f"/rounds/{cycle_id}/setup/dates", data=data | {"reminders": ["half-time", "three-days", "one-day"]}
    )
    assert answer.status_code == 303
