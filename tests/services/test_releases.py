"""Managers first: who reads what before and after the engineers' day, on both databases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from survey import context
from survey.core.audit import Event
from survey.core.cycles import Phase
from survey.core.errors import IllegalStep, NotFound
from survey.core.letters import Kind
from survey.services import audit, cycles, drafts, erasures, people, releases, reports, teams
from survey.store.cycles import Cycle
from survey.store.people import Person
from tasks.releases import sweep
from tests.company import csrf

OTHERS = ("ana", "ines", "noor")
MISSING = 404


@pytest.mark.parametrize("ending", ["", ".pdf", ".csv", ".xlsx"])
def test_until_their_day_the_manager_alone_reads_and_then_both(company, clock, ending):
    cycle_id, review_id = held(company)
    path = f"/reports/{review_id}{ending}"
    assert statuses(company, path) == {"marta": 200, "sam": MISSING, "ana": MISSING, "ines": MISSING, "noor": MISSING}
    clock.moment = until(cycle_id)
    sweep()
    assert statuses(company, path) == {"marta": 200, "sam": 200, "ana": MISSING, "ines": MISSING, "noor": MISSING}


def test_both_at_once_is_what_a_round_does_unless_it_says_otherwise(company):
    _, review_id = company.run()
    assert statuses(company, f"/reports/{review_id}")["sam"] == 200
    kinds = {(letter.kind, person) for letter, person in company.letters()}
    assert (Kind.REPORT, company.ids["sam"]) in kinds
    assert (Kind.TEAM_REPORTS, company.ids["marta"]) in kinds


def test_lists_show_a_report_to_whom_it_opens(company, clock):
    cycle_id, _ = held(company)
    sam = company.ids["sam"]
    with context.reading() as session:
        assert reports.own(session, sam) == []
        assert len(reports.lent(session, company.ids["marta"])) == 1
    assert "No report yet" in company.sign_in("sam").get("/reports").text
    clock.moment = until(cycle_id)
    sweep()
    assert "Spring round" in company.sign_in("sam").get("/reports").text


def test_the_managers_mail_goes_at_once_and_the_engineers_on_their_day(company, clock):
    cycle_id, review_id = held(company)
    (letter,) = [letter for letter, _ in company.letters()]
    assert (letter.kind, letter.subjects, letter.held_until) == (Kind.TEAM_REPORTS, ("Sam Rivera",), until(cycle_id))
    clock.move(days=2)
    assert sweep() == 0
    assert list(company.letters()) == []
    clock.moment = until(cycle_id)
    assert sweep() == 1
    (letter, person_id), *rest = company.letters()
    assert (letter.kind, letter.review_id, person_id, rest) == (Kind.REPORT, review_id, company.ids["sam"], [])
    assert sweep() == 0


def test_released_by_hand_the_engineers_do_not_wait_for_their_day(company):
    cycle_id, review_id = held(company)
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/release-to-engineers")
    assert "Thursday 5 March" in page.text
    answer = client.post(f"/rounds/{cycle_id}/release-to-engineers", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 303
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == 200
    with context.reading() as session:
        entry = next(entry for entry in audit.newest(session) if entry.detail.get("to") == "the engineers")
    assert (entry.event, entry.actor_id, entry.about) == (Event.CYCLE_RELEASED, company.ids["marta"], cycle_id)
    assert sweep() == 0


@pytest.mark.parametrize("name", ["sam", "ana"])
def test_nobody_else_releases_to_the_engineers(company, name):
    cycle_id, review_id = held(company)
    client = company.sign_in(name)
    token = csrf(client.get("/account").text)
    answer = client.post(f"/rounds/{cycle_id}/release-to-engineers", data={"csrf_token": token})
    assert answer.status_code == 403
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == MISSING


def test_what_is_not_held_back_cannot_be_given_to_the_engineers(company):
    cycle_id, _ = company.run()
    with pytest.raises(IllegalStep, match="with the engineers already"), context.transaction() as session:
        releases.to_subjects(session, cycle_id, actor_id=None, now=context.now())
    with pytest.raises(NotFound), context.transaction() as session:
        releases.to_subjects(session, company.ids["sam"], actor_id=None, now=context.now())


def test_that_there_is_no_report_is_told_to_the_manager_first_too(company):
    cycle_id, review_id = held(company)
    with context.transaction() as session:
        session.delete(session.get_one(reports.reports.Report, review_id))
    assert statuses(company, f"/reports/{review_id}")["sam"] == MISSING
    assert "There is no report" in company.sign_in("marta").get(f"/reports/{review_id}").text
    with context.transaction() as session:
        releases.to_subjects(session, cycle_id, actor_id=None, now=context.now())
    assert "There is no report" in company.sign_in("sam").get(f"/reports/{review_id}").text


def test_team_figures_wait_until_the_engineers_have_their_reports(company, clock):
    cycle_id, _ = held(company)
    with pytest.raises(NotFound), context.reading() as session:
        teams.view(session, cycle_id, company.ids["marta"])
    with context.reading() as session:
        assert teams.readable(session, company.ids["noor"]) == []
    clock.moment = until(cycle_id)
    sweep()
    with context.reading() as session:
        assert teams.view(session, cycle_id, company.ids["marta"]).cycle == "Spring round"


def test_an_archived_round_shows_nobody_a_report(company):
    cycle_id, review_id = held(company)
    with context.transaction() as session:
        session.execute(update(Cycle).where(Cycle.id == cycle_id).values(phase=Phase.ARCHIVED))
    assert statuses(company, f"/reports/{review_id}")["sam"] == MISSING
    assert statuses(company, f"/reports/{review_id}")["marta"] == MISSING


def test_a_copy_of_a_round_keeps_who_reads_first(company):
    cycle_id, _ = held(company)
    with context.transaction() as session:
        new = drafts.copy(session, cycle_id, "Autumn", launcher_id=company.ids["marta"], now=context.now())
        assert new.manager_days == 3


def test_the_choice_is_made_with_the_dates(company):
    cycle_id, _ = company.draft()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/setup/dates").text
    assert re.search(r'<input checked[^>]*value="both"', page)
    sent = {"csrf_token": csrf(page), "closes_on": "2026-03-20", "action": "back"}
    refused = client.post(f"/rounds/{cycle_id}/setup/dates", data=sent | {"release": "managers", "manager_days": "99"})
    assert refused.status_code == 422
    assert "1 to 30 days" in refused.text
    client.post(f"/rounds/{cycle_id}/setup/dates", data=sent | {"release": "managers", "manager_days": "5"})
    assert "engineers 5 days later" in client.get(f"/rounds/{cycle_id}/setup").text
    client.post(f"/rounds/{cycle_id}/setup/dates", data=sent | {"release": "both", "manager_days": "5"})
    assert "Engineers and managers read the reports at once" in client.get(f"/rounds/{cycle_id}/setup").text


def held(company):
    """A round that its manager reads three days before its subject: its id and the review's."""
    cycle_id, review_id = counted(company)
    company.release(cycle_id)
    return cycle_id, review_id


def counted(company):
    """The same before its release."""
    cycle_id, review_id = company.draft()
    with context.transaction() as session:
        session.get_one(Cycle, cycle_id).manager_days = 3
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    for name, token in company.tokens().items():
        company.answer(token, words=f"What {name} wrote.")
    company.close(cycle_id)
    company.count()
    return cycle_id, review_id


def lose_the_manager(company, lack):
    """Marta of whom it is said that she reads first: there is no manager, or she is deactivated or erased."""
    with context.transaction() as session:
        if lack == "none":
            known = people.profile(session, session.get(Person, company.ids["sam"]))
            people.change(
                session,
                company.ids["sam"],
                replace(known, manager=None),
                actor_id=company.ids["noor"],
                now=context.now(),
            )
            return
        verb = people.deactivate if lack == "left" else erasures.erase
        verb(session, company.ids["marta"], actor_id=company.ids["noor"], now=context.now())


def until(cycle_id) -> datetime:
    with context.reading() as session:
        moment = cycles.get(session, cycle_id).held_until
    assert moment == datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
    return moment


def statuses(company, path: str) -> dict[str, int]:
    return {name: company.sign_in(name).get(path).status_code for name in ("marta", "sam", *OTHERS)}


@pytest.mark.parametrize("lack", ["none", "left", "erased"])
def test_without_a_manager_who_could_read_first_the_subject_reads_at_once(company, lack):
    cycle_id, review_id = counted(company)
    lose_the_manager(company, lack)
    company.release(cycle_id)
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == 200
    assert [letter.kind for letter, person in company.letters() if person == company.ids["sam"]].count(Kind.REPORT) == 1


@pytest.mark.parametrize("lack", ["left", "erased"])
def test_a_manager_who_lapses_while_reports_are_held_holds_nothing(company, lack):
    cycle_id, review_id = held(company)
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == MISSING
    lose_the_manager(company, lack)
    sweep()
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == 200
    kinds = [letter.kind for letter, person in company.letters() if person == company.ids["sam"]]
    assert kinds.count(Kind.REPORT) == 1
    with context.transaction() as session:
        releases.to_subjects(session, cycle_id, actor_id=None, now=context.now())
    assert not [letter for letter, _ in company.letters() if letter.kind is Kind.REPORT]
