"""What the round's page says when the auditor has objected, to whom, and the two ways on."""

from __future__ import annotations

import uuid

from survey import context
from survey.core.cycles import Phase
from survey.services import cycles, tally
from tests.company import Company, csrf


def test_people_operations_sees_two_ways_on_and_the_launcher_that_it_is_being_settled(company):
    cycle_id, review_id = _objected(company)
    page = company.sign_in("noor").get(f"/rounds/{cycle_id}").text
    assert "The review of Sam Rivera" in page
    assert "Count again" in page
    assert f"/rounds/{cycle_id}/reviews/{review_id}/objection/abandon" in page
    page = company.sign_in("marta").get(f"/rounds/{cycle_id}").text
    assert "People operations knows and will settle it" in page
    assert "Count again" not in page
    assert "being counted" not in page


def test_only_people_operations_may_settle_it(company):
    cycle_id, review_id = _objected(company)
    client = company.sign_in("marta")
    token = csrf(client.get(f"/rounds/{cycle_id}").text)
    path = f"/rounds/{cycle_id}/reviews/{review_id}/objection"
    assert client.get(f"{path}/abandon").status_code == 403
    assert client.post(f"{path}/abandon", data={"csrf_token": token}).status_code == 403
    assert client.post(f"{path}/again", data={"csrf_token": token}).status_code == 403


def test_it_is_counted_again(company, rung):
    cycle_id, review_id = _objected(company)
    client = company.sign_in("noor")
    token = csrf(client.get(f"/rounds/{cycle_id}").text)
    path = f"/rounds/{cycle_id}/reviews/{review_id}/objection/again"
    assert client.post(path, data={"csrf_token": token}).status_code == 303
    assert rung.tasks == ["tasks.tally.sweep"]
    company.count()
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.TALLIED


def test_nothing_is_published_after_a_question_and_the_subject_reads_why(company):
    cycle_id, review_id = _objected(company)
    client = company.sign_in("noor")
    path = f"/rounds/{cycle_id}/reviews/{review_id}/objection/abandon"
    page = client.get(path).text
    assert "Publish nothing about Sam Rivera?" in page
    assert client.post(path, data={"csrf_token": csrf(page)}).status_code == 303
    company.count()
    assert company.sign_in("sam").get(f"/reports/{review_id}").status_code == 404
    company.release(cycle_id)
    own = company.sign_in("sam").get(f"/reports/{review_id}")
    assert own.status_code == 200
    assert "The report did not get through it" in own.text
    assert "Nothing was published in this round about you" in own.text
    assert "about Sam Rivera" in company.sign_in("marta").get(f"/reports/{review_id}").text
    for stranger in ("ana", "noor"):
        assert company.sign_in(stranger).get(f"/reports/{review_id}").status_code == 404


def test_a_review_of_another_round_is_not_there(company):
    cycle_id, _ = _objected(company)
    client = company.sign_in("noor")
    assert client.get(f"/rounds/{cycle_id}/reviews/{uuid.uuid4()}/objection/abandon").status_code == 404
    other, _ = company.draft()
    _, review_id = company.draft()
    assert client.get(f"/rounds/{other}/reviews/{review_id}/objection/abandon").status_code == 404


def _objected(company: Company) -> tuple[uuid.UUID, uuid.UUID]:
    """A closed round to whose only review the auditor has objected."""
    cycle_id, review_id = company.open()
    for token in company.tokens().values():
        company.answer(token)
    company.close(cycle_id)
    with context.transaction() as session:
        tally.object_to(session, review_id, now=context.now())
    return cycle_id, review_id
