"""Remind now: the next reminder comes at once, within the rules of mail, and tells a launcher nothing about a rater."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from survey import context
from survey.core.errors import IllegalStep, NotFound
from survey.core.letters import Kind
from survey.core.mailings import CONSIDERATE
from survey.core.relationships import Relationship
from survey.services import audit, cycles, drafts, mailings, nominations, participation, responses
from survey.store.cycles import Cycle
from survey.store.mailings import Mailing
from survey.store.outbox import Mail
from survey.store.people import Person

EVERYBODY = {"sam", "marta", "ana", "ben", "chloe", "dev", "ewa", "farid", "ines", "jonas"}


@pytest.fixture
def company(company):
    """Its mail keeps office hours, in UTC. The clock begins on a Monday at nine."""
    company.app.extensions[context.EXTENSION] = replace(context.installation(), pace=CONSIDERATE)
    return company


def test_whoever_is_still_asked_is_reminded_once_and_no_reminder_is_added(company, clock):
    made = opened(company)
    company.answer(made.tokens["ana"])
    decline(made.tokens["ben"])
    clock.move(days=2)
    assert mail(company) == {}
    assert press(company, made)
    assert mail(company) == dict.fromkeys(EVERYBODY - {"ana", "ben"}, Kind.REMINDER)
    assert not press(company, made)
    assert mail(company) == {}
    # Two of three are left: the one at half time has come early.
    assert Counter(rest_of_the_round(company, clock)) == Counter(dict.fromkeys(EVERYBODY - {"ana", "ben"}, 2))


def test_pressed_every_day_it_sends_three_reminders_to_anybody_and_not_one_more(company, clock):
    made = opened(company)
    got = Counter()
    for _ in range(9):
        clock.move(days=1)
        press(company, made)
        got.update(list(mail(company)))
    got.update(rest_of_the_round(company, clock))
    assert got == Counter(dict.fromkeys(EVERYBODY, 3))


def test_what_is_planned_and_mailed_is_the_same_whoever_has_answered(company, clock):
    made = opened(company)
    for name in ("ana", "ines", "marta"):
        company.answer(made.tokens[name])
    clock.move(days=2)
    press(company, made)
    assert len({tuple(each) for each in planned(company).values()}) == 1
    mail(company)
    assert len({tuple(each) for each in planned(company).values()}) == 1
    with context.reading() as session:
        rows = session.execute(select(Mail.person_id, Mail.state, Mail.attempts, Mail.slot, Mail.due_at)).all()
    todays = [row[1:] for row in rows if row.slot == "2026-03-04"]
    assert (len(todays), len(set(todays))) == (len(EVERYBODY), 1)


def test_whoever_put_reminders_off_keeps_their_day_and_who_stopped_them_gets_none(company, clock):
    made = opened(company)
    with context.transaction() as session:
        day = datetime(2026, 3, 12, tzinfo=UTC).date()
        mailings.snooze(session, made.tokens["ana"], made.cycle_id, day, now=clock())
        mailings.snooze(session, made.tokens["ben"], made.cycle_id, None, now=clock())
    before = planned(company)
    clock.move(days=2)
    press(company, made)
    assert {name: planned(company)[name] for name in ("ana", "ben")} == {name: before[name] for name in ("ana", "ben")}
    assert mail(company).keys() == EVERYBODY - {"ana", "ben"}
    clock.moment = datetime(2026, 3, 12, 9, tzinfo=UTC)
    assert "ana" in mail(company)


def test_at_night_and_on_a_weekend_it_waits_for_office_hours_where_the_rater_is(company, clock):
    made = opened(company)
    with context.transaction() as session:
        session.get_one(Person, company.ids["ana"]).time_zone = "America/New_York"
    clock.moment = datetime(2026, 3, 4, 20, tzinfo=UTC)  # three in the afternoon there
    press(company, made)
    assert mail(company) == {"ana": Kind.REMINDER}
    clock.move(hours=13)
    assert mail(company).keys() == EVERYBODY - {"ana"}
    clock.moment = datetime(2026, 3, 7, 12, tzinfo=UTC)  # a Saturday
    press(company, made)
    assert mail(company) == {}
    clock.moment = datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert mail(company).keys() == EVERYBODY - {"ana"}


def test_two_engineers_with_the_same_raters_cost_them_one_mail_and_one_reminder(company, clock):
    cycle_id, first = company.draft()
    with context.transaction() as session:
        second = drafts.add_review(session, cycle_id, company.ids["grace"], [company.page_id]).id
        shared = {company.ids[name]: Relationship.PEER for name in ("ana", "ben", "chloe", "dev", "ewa")}
        nominations.choose(session, second, {company.ids["grace"]: Relationship.SELF} | shared)
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=clock())
    mail(company)
    # On a Saturday, so that nothing goes out between the two.
    clock.moment = datetime(2026, 3, 7, 12, tzinfo=UTC)
    before = planned(company)
    for review_id in (first, second):
        press(company, SimpleNamespace(review_id=review_id))
    after = planned(company)
    for name in ("ana", "ben", "grace", "sam"):
        assert sum(old != new for old, new in zip(before[name], after[name], strict=True)) == 1


def test_a_rater_who_was_asked_late_gets_the_invitation_and_keeps_their_reminders(company, clock):
    made = opened(company)
    clock.moment = datetime(2026, 3, 4, 20, tzinfo=UTC)
    with context.transaction() as session:
        participation.add_rater(session, made.review_id, company.ids["hugo"], Relationship.PEER, now=clock())
    before = planned(company)["hugo"]
    press(company, made)
    assert planned(company)["hugo"] == before
    clock.move(hours=13)
    assert mail(company)["hugo"] is Kind.INVITATION


def test_the_log_says_who_had_whose_raters_reminded_and_nothing_of_a_rater(company, clock):
    made = opened(company)
    clock.move(days=2)
    press(company, made)
    press(company, made)
    with context.reading() as session:
        entries = audit.newest(session)
    (entry,) = [entry for entry in entries if entry.event == "raters reminded"]
    assert (entry.actor_id, entry.about, entry.detail) == (company.ids["marta"], made.review_id, {})


def test_the_day_is_that_of_the_company(company, clock):
    made = opened(company)
    pace = replace(CONSIDERATE, home=ZoneInfo("Pacific/Auckland"))
    clock.moment = datetime(2026, 3, 4, 10, tzinfo=UTC)  # eleven at night there
    assert press(company, made, pace)
    clock.move(minutes=59)
    assert not press(company, made, pace)
    clock.move(minutes=1)
    assert press(company, made, pace)


def test_without_reminders_or_an_open_round_it_is_refused(company, clock):
    made = opened(company)
    with context.transaction() as session:
        session.get_one(Cycle, made.cycle_id).reminders = []
    with pytest.raises(IllegalStep, match="without reminders"):
        press(company, made)
    company.close(made.cycle_id)
    with pytest.raises(IllegalStep, match="closed"):
        press(company, made)
    with pytest.raises(NotFound):
        press(company, SimpleNamespace(review_id=made.cycle_id))


def opened(company):
    """A round whose invitations are out."""
    cycle_id, review_id = company.open()
    return SimpleNamespace(cycle_id=cycle_id, review_id=review_id, tokens=company.tokens())


def press(company, made, pace=CONSIDERATE):
    with context.transaction() as session:
        actor_id = company.ids["marta"]
        return mailings.remind(session, made.review_id, pace=pace, actor_id=actor_id, now=context.now()).is_done


def mail(company):
    """What goes out at this moment, by first name."""
    names = {person_id: name for name, person_id in company.ids.items()}
    return {names[person_id]: letter.kind for letter, person_id in company.letters()}


def rest_of_the_round(company, clock):
    """Who gets a mail from here to the end, hour by hour."""
    got = []
    while clock.moment < datetime(2026, 3, 16, 9, tzinfo=UTC):
        clock.move(hours=1)
        got += mail(company)
    return got


def planned(company):
    """By first name, the slots to come with their times, in order."""
    names = {person_id: name for name, person_id in company.ids.items()}
    found = {name: [] for name in EVERYBODY}
    with context.reading() as session:
        for row in session.scalars(select(Mailing).where(Mailing.mail_id.is_(None)).order_by(Mailing.slot)):
            found.setdefault(names[row.person_id], []).append((row.slot, row.due_at))
    return found


def decline(token):
    with context.reading() as session:
        invitation = responses.waiting(session, token)[0].invitation_id
    with context.transaction() as session:
        responses.decline(session, token, invitation, draft_secret=None)
