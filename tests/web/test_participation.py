"""Who is asked while a round is open, in the browser: asked, withdrawn, vouched for, put under review, taken out."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from survey import context
from survey.core.relationships import Relationship
from survey.services import participation, responses
from survey.store.audit import AuditEntry
from survey.store.cycles import Review
from tests.company import csrf

PEERS = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(
    ("ana", "ben", "chloe", "dev", "ewa"), Relationship.PEER
)


def test_a_rater_is_withdrawn_only_with_a_tick_and_the_page_says_what_it_means(company):
    cycle_id, review_id = company.open(PEERS)
    client, at = company.sign_in("marta"), f"/rounds/{cycle_id}/reviews/{review_id}"
    raters = client.get(f"{at}/raters").text
    assert f"withdraw?rater={company.ids['ana']}" in raters
    page = client.get(f"{at}/withdraw?rater={company.ids['ana']}").text
    assert "their answer stays sealed among the others" in page
    sent = {"csrf_token": csrf(page), "rater": str(company.ids["ana"])}
    refused = client.post(f"{at}/withdraw", data=sent)
    assert refused.status_code == 422
    assert "tick that you want it" in refused.text
    assert client.post(f"{at}/withdraw", data=sent | {"is_sure": "y"}).location == f"{at}/raters"
    after = client.get(f"{at}/raters").text
    assert "Ana is not asked about Sam Rivera any more." in after
    assert f"withdraw?rater={company.ids['ana']}" not in after
    assert f'value="{company.ids["ana"]}"' in client.get(f"{at}/ask").text


def test_the_log_says_that_raters_were_changed_and_never_whom(company, clock):
    cycle_id, review_id = company.open(PEERS)
    actor = {"actor_id": company.ids["marta"], "now": clock()}
    with context.transaction() as session:
        participation.withdraw_rater(session, review_id, company.ids["ana"], **actor)
        participation.add_rater(session, review_id, company.ids["farid"], Relationship.PEER, **actor)
        participation.replace_rater(session, review_id, company.ids["ben"], company.ids["grace"], **actor)
    with context.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.event == "cycle changed")).all()
        assert [(entry.about, entry.detail) for entry in entries] == [(cycle_id, {"raters changed": "1"})] * 3


def test_somebody_of_another_company_waits_until_the_subject_says_yes(company):
    cycle_id, review_id = company.open(PEERS)
    client, at = company.sign_in("marta"), f"/rounds/{cycle_id}/reviews/{review_id}"
    page = client.get(f"{at}/ask").text
    sent = {"csrf_token": csrf(page), "address": "Kim Larsen <kim@partner.test>", "relationship": "peer"}
    client.post(f"{at}/ask", data=sent | {"instead_of": ""})
    raters = client.get(f"{at}/raters").text
    assert "They wait for somebody’s word." in raters
    assert "Outside rater" in raters
    assert "not asked yet" in raters
    subject = company.sign_in("sam")
    assert f"/reviews/{review_id}/outside" in subject.get("/nominations").text
    page = subject.get(f"/reviews/{review_id}/outside").text
    assert "kim@partner.test, chosen by Marta Lindqvist" in page
    with context.reading() as session:
        (kim,) = [one.id for one in participation.raters(session, review_id) if one.awaits_word]
    assert subject.post(f"/reviews/{review_id}/outside", data={"csrf_token": csrf(page)}).status_code == 422
    answer = subject.post(f"/reviews/{review_id}/outside", data={"csrf_token": csrf(page), f"word-{kim}": "yes"})
    assert answer.status_code == 303
    with context.reading() as session:
        assert session.get(Review, review_id).invited["outside"] == 1
    assert "Nobody waits for your word" in subject.get(f"/reviews/{review_id}/outside").text


@pytest.mark.parametrize(("name", "status"), [("marta", 403), ("ana", 403), ("sam", 200), ("noor", 200)])
def test_only_the_subject_and_people_operations_see_the_page_of_words(company, name, status):
    _, review_id = company.open(PEERS)
    assert company.sign_in(name).get(f"/reviews/{review_id}/outside").status_code == status


def test_what_a_rater_reads_before_answering_says_how_many_are_from_outside(company):
    _, review_id = company.open(PEERS)
    with context.transaction() as session:
        review = session.get(Review, review_id)
        review.invited = review.invited | {"outside": 2}
    browser = company.app.test_client()
    token = company.tokens()["ana"]
    page = browser.get(f"/r/{token}").text
    browser.post(f"/r/{token}", data={"csrf_token": csrf(page)})
    with context.reading() as session:
        invitation = responses.waiting(session, token)[0].invitation_id
    assert (
        "2 outside raters were asked too, and are a group of their own." in browser.get(f"/feedback/{invitation}").text
    )


def test_somebody_is_put_under_review_and_taken_out_while_the_round_is_open(company):
    cycle_id, _ = company.open(PEERS)
    client, at = company.sign_in("marta"), f"/rounds/{cycle_id}"
    page = client.get(f"{at}/add-person").text
    sent = {"csrf_token": csrf(page), "subject": str(company.ids["grace"]), "page_ids": str(company.page_id)}
    looked = client.post(f"{at}/add-person", data=sent | {"action": "look"}).text
    assert "Marta Lindqvist, as manager" in looked
    raters = [str(company.ids[name]) for name in ("grace", "marta", "ana", "ben")]
    assert client.post(f"{at}/add-person", data=sent | {"raters": raters}).location == at
    assert "Grace" in client.get(at).text
    with context.reading() as session:
        review = session.scalars(select(Review).where(Review.subject_id == company.ids["grace"])).one()
        assert review.invited == {"self": 1, "manager": 1, "peer": 2}
    out = f"{at}/reviews/{review.id}/take-out"
    page = client.get(out).text
    assert "deleted unopened" in page
    assert client.post(out, data={"csrf_token": csrf(page)}).location == at
    assert "Grace is not in this round any more." in client.get(at).text


def test_the_page_of_raters_offers_a_new_manager_in_place_of_the_one_who_is_asked(company):
    cycle_id, review_id = company.open(PEERS)
    with context.transaction() as session:
        session.get(Review, review_id).subject.manager_id = company.ids["noor"]
    page = company.sign_in("noor").get(f"/rounds/{cycle_id}/reviews/{review_id}/raters").text
    assert "reports to Noor Haddad, who is not asked as the manager" in page
    assert f"instead_of={company.ids['marta']}" in page
