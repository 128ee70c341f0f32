"""What is kept for how long, and what is left afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from survey import context
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.letters import Kind
from survey.core.plans import Step
from survey.core.retention import months_before
from survey.services import audit, cycles, participation, plans
from survey.store import received, schema
from survey.store.clocks import LastLook
from survey.store.invitations import Invitation, InvitationToken
from survey.store.nominations import Nomination
from survey.store.outbox import Mail
from survey.store.people import SignIn, SignInLink
from survey.store.plans import PlannedStep
from survey.store.reports import Comment, Report
from tasks import retention


def test_who_was_asked_is_deleted_thirty_days_after_the_end_and_the_numbers_stay(company, clock):
    cycle_id, review_id = company.open()
    for name, token in company.tokens().items():
        if name != "ana":
            company.answer(token)
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    company.tokens()
    before = numbers(cycle_id)
    assert before[review_id].answered == 9
    clock.move(days=29)
    assert retention.delete_due() == 0
    assert rows(Invitation) == 10
    clock.move(days=2)
    assert retention.delete_due() == 1
    assert (rows(Invitation), rows(InvitationToken), rows(Nomination)) == (0, 0, 0)
    assert numbers(cycle_id) == before
    with context.reading() as session:
        assert participation.totals(session, [cycle_id]) == {cycle_id: (10, 9)}
    assert retention.delete_due() == 0
    assert entries(Event.INVITATIONS_DELETED) == [(cycle_id, {"invitations": "10"})]


def test_pages_of_a_round_without_its_invitations_still_open_and_say_the_same_numbers(company, clock):
    cycle_id, _ = company.run()
    before = company.sign_in("noor").get(f"/rounds/{cycle_id}")
    clock.move(days=31)
    retention.delete_due()
    after = company.sign_in("noor").get(f"/rounds/{cycle_id}")
    assert after.status_code == 200
    assert "10 of 10 answered" in before.text
    assert "10 of 10 answered" in after.text


def test_a_round_that_is_not_counted_keeps_its_invitations(company, clock):
    cycle_id, _ = company.open()
    company.close(cycle_id)
    clock.move(days=400)
    assert retention.delete_due() == 0
    assert rows(Invitation) == 10


def test_reports_are_deleted_after_twenty_four_months_and_the_round_is_archived(company, clock):
    cycle_id, review_id = company.run()
    sam = company.sign_in("sam")
    assert sam.get(f"/reports/{review_id}").status_code == 200
    with company.app.app_context(), context.transaction() as session:
        step = Step("Write the plan before the code", "Product Stability, level 2", is_own=True)
        plans.save(session, review_id, [step], clock().date() + timedelta(days=30), now=clock())
    comments = rows(Comment)
    clock.move(days=700)
    assert retention.delete_due() == 1, "the invitations"
    assert rows(Report) == 1
    clock.move(days=40)
    looked_meanwhile()
    assert retention.delete_due() == 1
    assert {table: rows(schema.TABLES[table]) for table in received.TABLES} == dict.fromkeys(received.TABLES, 0)
    assert rows(PlannedStep) == 0
    with context.reading() as session:
        assert Kind.CHECK_IN not in session.scalars(select(Mail.kind)).all()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.ARCHIVED
    told = {"reports": "1", "comments": str(comments)}
    assert entries(Event.REPORTS_DELETED) == [(cycle_id, told)]
    sam = company.sign_in("sam")
    assert sam.get(f"/reports/{review_id}").status_code == 404
    assert f"/reports/{review_id}" not in sam.get("/reports").text
    assert company.sign_in("noor").get(f"/rounds/{cycle_id}").status_code == 200


def test_sign_ins_and_links_that_are_over_are_deleted(company, clock):
    company.sign_in("ana")
    assert rows(SignIn) == 1
    clock.move(days=400)
    retention.delete_due()
    assert (rows(SignIn), rows(SignInLink)) == (0, 0)


def test_the_periods_are_settings(company, clock):
    company.run()
    company.app.extensions[context.EXTENSION] = changed(invitations_kept=timedelta(days=3), reports_kept_months=1)
    clock.move(days=4)
    assert retention.delete_due() == 1
    clock.move(days=30)
    looked_meanwhile()
    assert retention.delete_due() == 1


def test_the_audit_log_stays_whole(company, clock):
    company.run()
    clock.move(days=800)
    retention.delete_due()
    with context.reading() as session:
        assert audit.verify(session).is_whole


@pytest.mark.parametrize(
    ("moment", "months", "earlier"),
    [
        ((2026, 3, 31), 1, (2026, 2, 28)),
        ((2026, 1, 15), 1, (2025, 12, 15)),
        ((2028, 2, 29), 24, (2026, 2, 28)),
        ((2026, 12, 1), 12, (2025, 12, 1)),
    ],
)
def test_months_are_counted_by_the_calendar(moment, months, earlier):
    assert months_before(datetime(*moment, 9, tzinfo=UTC), months) == datetime(*earlier, 9, tzinfo=UTC)


def changed(**settings):
    return replace(context.installation(), **settings)


def numbers(cycle_id):
    with context.reading() as session:
        return participation.of(session, cycle_id, now=context.now() - timedelta(days=1))


def looked_meanwhile():
    """The sweeps looked all the time until now, and found nothing to do."""
    with context.transaction() as session:
        session.execute(update(LastLook).values(looked_at=context.now()))


def rows(table):
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(table))


def entries(event):
    with context.reading() as session:
        return [(entry.about, dict(entry.detail)) for entry in audit.newest(session) if entry.event == event]
