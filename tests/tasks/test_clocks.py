"""A clock that jumps: nothing is closed, opened, released, mailed or deleted before somebody has looked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.clocks import Sweeps
from survey.core.cycles import Phase
from survey.services import audit
from survey.store.clocks import LastLook
from survey.store.cycles import Cycle
from survey.store.invitations import Invitation
from survey.store.mailings import Mailing
from survey.store.reports import Report
from tasks import cycles, outbox, releases, retention
from tests import commands
from tests.company import csrf

THREE_YEARS = timedelta(days=3 * 365)
FORTNIGHT = timedelta(days=14)


@dataclass
class Machine:
    """How long the machine is up. Its clock may part from it."""

    boot: str = "one"
    uptime: timedelta = timedelta(hours=2)

    def __call__(self) -> tuple[str, timedelta]:
        return self.boot, self.uptime


@pytest.fixture
def machine(app):
    made = Machine()
    app.extensions[context.EXTENSION] = replace(context.installation(), uptime=made)
    return made


@pytest.fixture
def lived(company, clock, machine, mailbox):
    """Its reports of one round are out, and another round is open; every sweep has looked a moment ago."""
    released, _ = company.run()
    opened, _ = company.open()
    outbox.sweep()
    sweep()
    return released, opened


def sweep():
    for task in (cycles.open_due, cycles.close_due, releases.sweep, outbox.sweep, retention.delete_due):
        task()


def pass_(clock, machine, by):
    clock.moment += by
    machine.uptime += by


def test_a_jump_of_three_years_closes_and_deletes_nothing_and_mails_no_rater(company, lived, clock, mailbox):
    before, asked = state(), rows(Mailing)
    mailbox.messages.clear()
    clock.moment += THREE_YEARS
    for _ in range(3):
        sweep()
    assert state() == before
    assert rows(Mailing) == asked
    assert mailbox.to("ana@company.test") == []
    (told,) = mailbox.to("noor@company.test")
    assert told["Subject"] == "The clock may be wrong: some work waits for you"


def test_a_clock_that_is_put_right_again_goes_on_by_itself_and_nothing_is_lost(company, lived, clock, machine):
    released, opened = lived
    before = state()
    clock.moment += THREE_YEARS
    sweep()
    clock.moment -= THREE_YEARS
    sweep()
    assert state() == before
    with context.reading() as session:
        assert not session.scalar(select(func.count()).select_from(LastLook).where(LastLook.is_held))
    for _ in range(15):
        pass_(clock, machine, timedelta(days=1))
        sweep()
    assert phases()[opened] != Phase.OPEN
    assert phases()[released] == Phase.RELEASED


def test_people_can_answer_meanwhile(company, lived, clock, mailbox):
    mail = mailbox.to("ana@company.test")[-1].get_body(("plain",)).get_content()
    token = re.search(r"/r/([\w-]+)", mail).group(1)
    clock.moment += THREE_YEARS
    sweep()
    company.answer(token)


def test_whoever_says_that_the_time_is_right_has_everything_done(company, lived, clock, machine):
    released, opened = lived
    clock.moment += THREE_YEARS
    sweep()
    boss = company.sign_in("noor")
    assert "The clock of the server may be wrong" in boss.get("/rounds").text
    page = boss.get("/clock").text
    for would in ("close one round and count it for good", "delete all reports of one round"):
        assert would in page
    answer = boss.post("/clock", data={"csrf_token": csrf(page)}, follow_redirects=True)
    assert "The time is taken as right." in answer.text
    assert "Nothing waits." in answer.text
    sweep()
    assert phases() == {released: Phase.ARCHIVED, opened: Phase.CLOSED}
    assert rows(Report) == 0
    with context.reading() as session:
        said = [entry for entry in audit.newest(session) if entry.event == "clock accepted"]
    assert {entry.detail["what"] for entry in said} == {"steps", "deletions"}
    assert {entry.actor_id for entry in said} == {company.ids["noor"]}


def test_the_page_is_for_people_operations_alone(company, lived, clock):
    clock.moment += THREE_YEARS
    sweep()
    boss = company.sign_in("marta")
    assert boss.get("/clock").status_code == 403
    assert "The clock of the server may be wrong" not in boss.get("/rounds").text


def test_a_command_says_what_waits_and_says_the_word_and_doctor_is_worried(company, lived, clock, environ):
    clock.moment += THREE_YEARS
    sweep()
    assert "may have jumped" in commands.survey("doctor", environ=environ).stdout
    said = commands.survey("clock", environ=environ)
    assert (said.returncode, "run `survey clock --accept`" in said.stdout) == (0, True)
    assert "The time is taken as right." in commands.survey("clock", "--accept", environ=environ).stdout
    assert "Nothing waits." in commands.survey("clock", environ=environ).stdout


def test_after_two_weeks_off_rounds_that_are_over_close_and_nothing_is_deleted_without_a_word(
    company, lived, clock, machine
):
    released, opened = lived
    for _ in range(20):
        clock.moment += timedelta(days=1)
        machine.uptime += timedelta(days=1)
        retention.delete_due()
    assert rows(Invitation) == 20
    clock.moment += FORTNIGHT
    machine.boot, machine.uptime = "two", timedelta(minutes=3)
    sweep()
    assert phases()[opened] == Phase.CLOSED
    assert rows(Invitation) == 20
    assert phases()[released] == Phase.RELEASED
    with context.transaction() as session:
        assert session.get_one(LastLook, Sweeps.DELETIONS).is_held
    page = company.sign_in("noor").get("/clock").text
    assert "delete who was asked in one round" in page


def test_where_nothing_is_due_nothing_is_asked(company, clock, machine, mailbox):
    sweep()
    clock.moment += THREE_YEARS
    sweep()
    assert mailbox.messages == []
    cycle_id, _ = company.open()
    pass_(clock, machine, timedelta(days=14))
    sweep()
    assert phases() == {cycle_id: Phase.CLOSED}


def test_a_clock_that_goes_back_loses_nothing_and_asks_before_the_next_step(company, lived, clock, machine, mailbox):
    _, opened = lived
    mailbox.messages.clear()
    before = state()
    clock.moment -= THREE_YEARS
    sweep()
    assert state() == before
    assert mailbox.messages == []
    clock.moment += THREE_YEARS
    pass_(clock, machine, timedelta(days=15))
    sweep()
    assert phases()[opened] == Phase.CLOSED


@pytest.mark.parametrize("by", [timedelta(seconds=3), timedelta(hours=1), timedelta(hours=-1), timedelta(hours=14)])
def test_what_ntp_or_a_wrong_zone_move_asks_nothing(company, lived, clock, by, mailbox):
    mailbox.messages.clear()
    clock.moment += by
    sweep()
    assert mailbox.to("noor@company.test") == []
    with context.reading() as session:
        assert not session.scalar(select(func.count()).select_from(LastLook).where(LastLook.is_held))


def test_people_operations_can_still_sign_in(company, lived, clock, mailbox):
    clock.moment += THREE_YEARS
    sweep()
    mailbox.messages.clear()
    client = company.app.test_client()
    page = client.get("/sign-in").text
    client.post("/sign-in", data={"csrf_token": csrf(page), "address": "noor@company.test"})
    outbox.sweep()
    assert len(mailbox.to("noor@company.test")) == 1


def phases():
    with context.reading() as session:
        return dict(session.execute(select(Cycle.id, Cycle.phase)).all())


def rows(table):
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def state():
    """Everything that could be lost."""
    return phases(), rows(Report), rows(Invitation)
