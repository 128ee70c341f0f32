"""Who may choose whose raters, page by page."""

from __future__ import annotations

from datetime import timedelta

import pytest

from survey import context
from survey.core.nominations import Choice
from survey.core.relationships import Relationship
from survey.services import drafts, nominations
from survey.store.cycles import Review
from tests.company import csrf


@pytest.mark.parametrize(("name", "status"), [("sam", 200), ("marta", 200), ("noor", 200), ("ana", 403), ("ines", 403)])
def test_the_subject_the_manager_and_people_operations_choose_and_nobody_else(company, clock, name, status):
    review_id = nominating(company, clock)
    assert company.sign_in(name).get(f"/reviews/{review_id}/raters").status_code == status


def test_an_engineer_proposes_and_the_manager_finds_it_in_the_list_and_approves(company, clock):
    review_id = nominating(company, clock)
    engineer, manager = company.sign_in("sam"), company.sign_in("marta")
    assert f"/reviews/{review_id}/raters" in engineer.get("/nominations").text
    page = engineer.get(f"/reviews/{review_id}/raters")
    assert "Your manager approves your choice." in page.text
    assert 'value="manager"' not in page.text
    sent = {f"rater-{company.ids[one]}": "peer" for one in ("ana", "ben", "chloe", "dev", "ewa")}
    answer = engineer.post(f"/reviews/{review_id}/raters", data={"csrf_token": csrf(page.text), **sent})
    assert answer.location == "/nominations"
    assert "waits for the manager" in manager.get("/nominations").text
    page = manager.get(f"/reviews/{review_id}/raters")
    sent |= {f"rater-{company.ids['marta']}": "manager", "self": "1"}
    assert manager.post(f"/reviews/{review_id}/raters", data={"csrf_token": csrf(page.text), **sent}).status_code == 303
    with context.reading() as session:
        assert session.get(Review, review_id).choice == Choice.APPROVED
        assert len(nominations.of(session, review_id)) == 7


def test_looking_for_somebody_keeps_what_was_chosen_and_writes_nothing(company, clock):
    review_id = nominating(company, clock)
    client = company.sign_in("sam")
    page = client.get(f"/reviews/{review_id}/raters")
    sent = {"csrf_token": csrf(page.text), f"rater-{company.ids['ana']}": "other", "q": "noor", "action": "find"}
    found = client.post(f"/reviews/{review_id}/raters", data=sent)
    assert "Noor Haddad" in found.text
    assert found.text.count('value="other" selected') == 1
    with context.reading() as session:
        assert len(nominations.of(session, review_id)) == 10


def test_the_subject_cannot_make_somebody_their_manager_with_a_forged_form(company, clock):
    review_id = nominating(company, clock)
    client = company.sign_in("sam")
    page = client.get(f"/reviews/{review_id}/raters")
    forged = {f"rater-{company.ids['noor']}": "manager", f"rater-{company.ids['sam']}": "peer"}
    client.post(f"/reviews/{review_id}/raters", data={"csrf_token": csrf(page.text), **forged})
    with context.reading() as session:
        chosen = nominations.of(session, review_id)
    assert chosen == {company.ids["sam"]: Relationship.SELF, company.ids["marta"]: Relationship.MANAGER}


def test_an_external_rater_has_no_account(company, clock):
    review_id = nominating(company, clock)
    client = company.sign_in("marta")
    page = client.get(f"/reviews/{review_id}/raters")
    client.post(
        f"/reviews/{review_id}/raters", data={"csrf_token": csrf(page.text), "addresses": "Kim <kim@partner.test>"}
    )
    stranger = company.app.test_client()
    page = stranger.get("/sign-in")
    stranger.post("/sign-in", data={"csrf_token": csrf(page.text), "address": "kim@partner.test"})
    assert "kim@partner.test" not in [letter.address for letter, _ in company.letters()]


def test_a_round_in_which_people_choose_keeps_its_day_of_opening(company, clock):
    review_id = nominating(company, clock)
    with context.reading() as session:
        path = f"/rounds/{session.get(Review, review_id).cycle_id}/setup/dates"
    client = company.sign_in("marta")
    answer = client.post(
        path, data={"csrf_token": csrf(client.get(path).text), "opens_on": "", "closes_on": "2026-05-01"}
    )
    assert answer.status_code == 422
    assert "it needs its day" in answer.text
    assert company.sign_in("sam").get(f"/reviews/{review_id}/raters").status_code == 200


def nominating(company, clock):
    cycle_id, review_id = company.draft()
    with context.transaction() as session:
        drafts.set_dates(
            session,
            cycle_id,
            opens_at=clock() + timedelta(days=10),
            closes_at=clock() + timedelta(days=24),
            reminders=[],
            now=clock(),
        )
        nominations.start(session, cycle_id, now=clock())
    return review_id
