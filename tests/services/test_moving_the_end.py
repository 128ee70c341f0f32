"""An end that is moved: whoever is asked is reminded again, alike for all, and the page says what comes of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from survey import context
from survey.core.letters import Kind
from survey.core.mailings import CONSIDERATE
from survey.core.relationships import Relationship
from survey.services import mailings, participation
from survey.store.cycles import Cycle
from survey.store.mailings import Mailing
from tests.company import csrf

EVERYBODY = {"sam", "marta", "ana", "ben", "chloe", "dev", "ewa", "farid", "ines", "jonas"}


@pytest.fixture
def company(company):
    """Its mail keeps office hours, in UTC. The clock begins on Monday 2 March at nine."""
    company.app.extensions[context.EXTENSION] = replace(context.installation(), pace=CONSIDERATE)
    return company


def test_a_round_that_is_extended_on_its_last_day_reminds_again(company, clock):
    cycle_id, tokens = opened(company)
    company.answer(tokens["ana"])
    live(company, clock, until=datetime(2026, 3, 16, 8, tzinfo=UTC))
    assert reminders_to_come() == set()
    said = move(company, cycle_id, date(2026, 3, 27))
    assert said == (
        "The last day to answer is Friday 27 March 2026 now. "
        "Whoever has not finished is reminded on Tuesday 24 March and on Thursday 26 March."
    )
    got = live(company, clock, until=datetime(2026, 3, 27, 22, tzinfo=UTC))
    assert {day for day, _, _ in got} == {date(2026, 3, 24), date(2026, 3, 26)}
    assert {name for _, name, _ in got} == EVERYBODY - {"ana"}
    assert {kind for _, _, kind in got} == {Kind.REMINDER}


def test_what_is_planned_then_is_the_same_whoever_has_answered(company, clock):
    cycle_id, tokens = opened(company)
    live(company, clock, until=datetime(2026, 3, 13, 20, tzinfo=UTC))
    for name in ("ana", "ines", "marta"):
        company.answer(tokens[name])
    move(company, cycle_id, date(2026, 3, 27))
    with context.reading() as session:
        rows = session.execute(select(Mailing.person_id, Mailing.slot, Mailing.due_at)).all()
    theirs = Counter(row.person_id for row in rows)
    assert set(theirs.values()) == {2}
    assert len(theirs) == len(EVERYBODY)
    assert len({row[1:] for row in rows}) == 2


def test_whoever_was_replaced_is_not_reminded_again_and_whoever_came_later_is(company, clock):
    cycle_id, _ = opened(company)
    with context.transaction() as session:
        review_id = session.get_one(Cycle, cycle_id).reviews[0].id
        taken = company.ids["ana"], company.ids["hugo"]
        participation.replace_rater(session, review_id, *taken, pace=CONSIDERATE, now=clock())
        participation.add_rater(session, review_id, company.ids["grace"], Relationship.PEER, now=clock())
    live(company, clock, until=datetime(2026, 3, 15, 20, tzinfo=UTC))
    move(company, cycle_id, date(2026, 3, 27))
    got = live(company, clock, until=datetime(2026, 3, 27, 22, tzinfo=UTC))
    assert {name for _, name, _ in got} == EVERYBODY - {"ana"} | {"hugo", "grace"}


def test_whoever_wants_no_reminders_gets_none_of_a_later_end_either(company, clock):
    cycle_id, tokens = opened(company)
    with context.transaction() as session:
        mailings.snooze(session, tokens["ben"], cycle_id, None, now=clock())
    live(company, clock, until=datetime(2026, 3, 15, 20, tzinfo=UTC))
    move(company, cycle_id, date(2026, 3, 27))
    got = live(company, clock, until=datetime(2026, 3, 27, 22, tzinfo=UTC))
    assert {name for _, name, _ in got} == EVERYBODY - {"ben"}


def test_a_short_round_that_becomes_long_gets_its_reminder_at_half_time_too(company, clock):
    cycle_id, _ = opened(company, days=2)
    move(company, cycle_id, date(2026, 3, 20))
    slots = reminders_to_come()
    assert slots == {"half-time", "three-days", "one-day"}
    live(company, clock, until=datetime(2026, 3, 15, 20, tzinfo=UTC))
    move(company, cycle_id, date(2026, 4, 10))
    assert reminders_to_come() == {"three-days", "one-day"}


def test_a_round_that_is_shortened_reminds_with_what_was_still_to_come(company, clock):
    cycle_id, _ = opened(company)
    clock.moment = datetime(2026, 3, 4, 12, tzinfo=UTC)
    said = move(company, cycle_id, date(2026, 3, 9))
    assert said.startswith("The last day to answer is Monday 9 March 2026 now. Whoever has not finished is reminded ")
    got = live(company, clock, until=datetime(2026, 3, 10, tzinfo=UTC))
    days = sorted({day for day, _, _ in got})
    assert days
    for day in days:
        assert ("today" if day == date(2026, 3, 4) else f"on {day:%A} {day.day} March") in said


def test_an_end_that_leaves_no_time_for_a_reminder_says_that_none_comes(company, clock):
    cycle_id, _ = opened(company)
    live(company, clock, until=datetime(2026, 3, 16, 18, tzinfo=UTC))
    said = move(company, cycle_id, date(2026, 3, 17))
    assert said == (
        "The last day to answer is Tuesday 17 March 2026 now. "
        "No reminder is left before it: whoever has not finished is not told by mail."
    )
    assert live(company, clock, until=datetime(2026, 3, 17, 23, tzinfo=UTC)) == []


def test_a_round_without_reminders_says_that_nobody_is_told(company, clock):
    cycle_id, _ = opened(company)
    with context.transaction() as session:
        session.get_one(Cycle, cycle_id).reminders = []
    assert move(company, cycle_id, date(2026, 3, 27)).endswith(
        "This round was set up without reminders, so nobody is told by mail."
    )
    assert clock


def test_the_same_day_again_changes_nothing_and_says_so(company, clock):
    cycle_id, _ = opened(company)
    move(company, cycle_id, date(2026, 3, 27))
    assert move(company, cycle_id, date(2026, 3, 27)) == (
        "Friday 27 March 2026 is the last day to answer already. Nothing was changed."
    )
    assert clock


def test_remind_now_says_that_nothing_goes_out_where_no_reminder_is_left(company, clock):
    cycle_id, _ = opened(company)
    live(company, clock, until=datetime(2026, 3, 15, 20, tzinfo=UTC))
    assert press(company, cycle_id).startswith("All reminders of this round have gone out")
    clock.move(days=1, hours=-10)
    move(company, cycle_id, date(2026, 3, 27))
    assert press(company, cycle_id) == "The next reminder about Sam Rivera goes out now, to whoever has not finished."


def test_remind_now_says_when_mail_goes_that_does_not_go_now(company, clock):
    cycle_id, _ = opened(company)
    clock.moment = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday
    assert press(company, cycle_id) == (
        "The next reminder about Sam Rivera goes out in office hours, from Monday 9 March, 09:00, on, to whoever has "
        "not finished."
    )
    assert live(company, clock, until=datetime(2026, 3, 9, 8, tzinfo=UTC)) == []


def test_remind_now_says_that_invitations_come_first_and_that_one_mail_a_day_is_enough(company, clock):
    cycle_id, _ = company.open()
    assert press(company, cycle_id).startswith("The invitations have not all gone out yet.")
    company.tokens()
    assert press(company, cycle_id).startswith("Nothing is sent now: nobody gets more than one mail a day")
    assert clock


def opened(company, **kwargs):
    """A round whose invitations are out: its id, and the links by first name."""
    cycle_id, _ = company.open(**kwargs)
    return cycle_id, company.tokens()


def live(company, clock, *, until):
    """What goes out from here on, hour by hour: on which day, to whom, and what."""
    names = {person_id: name for name, person_id in company.ids.items()}
    got = []
    while clock.moment < until:
        clock.move(hours=1)
        got += [(clock.moment.date(), names[person_id], letter.kind) for letter, person_id in company.letters()]
    return got


def reminders_to_come():
    with context.reading() as session:
        return set(session.scalars(select(Mailing.slot)))


def move(company, cycle_id, day):
    """Moves the end on its page; what the page says then."""
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/end").text
    data = {"csrf_token": csrf(page), "closes_on": str(day)}
    return _said(client.post(f"/rounds/{cycle_id}/end", data=data, follow_redirects=True))


def press(company, cycle_id):
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}").text
    action = re.search(r'action="([^"]+/remind)"', page).group(1)
    return _said(client.post(action, data={"csrf_token": csrf(page)}, follow_redirects=True))


def _said(answer):
    assert answer.status_code == 200
    return re.search(r'<p class="note note-done" role="status">([^<]+)</p>', answer.text).group(1)
