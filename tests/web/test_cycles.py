"""A manager's way through a round, page by page."""

from __future__ import annotations

import re
from datetime import timedelta

from survey import context
from survey.services import cycles, nominations
from tests.company import csrf


def test_a_manager_makes_a_round_from_a_page_and_opens_it(company, clock, rung):
    client = company.sign_in("marta")
    page = client.get("/rounds/new")
    made = client.post(
        "/rounds/new",
        data={
            "csrf_token": csrf(page.text),
            "name": "Autumn <round>",
            "closes_on": (clock() + timedelta(days=14)).date().isoformat(),
            "minimum": "4",
            "blocks": ["key_behaviors"],
        },
    )
    assert made.status_code == 303, made.text
    page = client.get(made.location)
    assert "Autumn &lt;round&gt;" in page.text
    added = client.post(
        f"{made.location}/reviews",
        data={"csrf_token": csrf(page.text), "subject": company.ids["sam"], "page_ids": [company.page_id]},
    )
    assert added.status_code == 303
    raters = client.get(added.location)
    assert "Sam Rivera answers a self-assessment" in raters.text
    assert raters.text.count(" selected") >= 11  # the manager, eight peers, two direct reports
    chosen = {f"rater-{company.ids[name]}": "peer" for name in ("ana", "ben", "chloe", "dev", "ewa")}
    saved = client.post(added.location, data={"csrf_token": csrf(raters.text), "self": "1", **chosen})
    assert saved.status_code == 303
    ready = client.get(f"{made.location}/open")
    assert "6 people are asked, each with one mail." in ready.text
    opened = client.post(f"{made.location}/open", data={"csrf_token": csrf(ready.text)})
    assert opened.status_code == 303
    assert "tasks.outbox.sweep" in rung.tasks
    assert "0 of 6 answered" in client.get(made.location).text


def test_the_preview_is_the_raters_page_and_cannot_be_sent(company):
    cycle_id, review_id = company.draft()
    page = company.sign_in("marta").get(f"/rounds/{cycle_id}/reviews/{review_id}/preview")
    assert "6 peers were asked about Sam Rivera" in page.text
    assert "Leads discussions about risk" in page.text
    assert 'type="submit"' not in page.text.split("<main", 1)[1].split("</main>")[0]


def test_the_round_shows_counts_and_no_rater(company):
    cycle_id, _ = company.open()
    company.answer(company.tokens()["ana"])
    page = company.sign_in("marta").get(f"/rounds/{cycle_id}").text
    assert "1 of 10 answered" in page
    for name in ("Ana", "Ben", "ines@company.test"):
        assert name not in page


def test_closing_asks_first_and_then_has_it_counted(company, rung):
    cycle_id, _ = company.open()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/close")
    assert "10 answers have not come in" in page.text
    client.post(f"/rounds/{cycle_id}/close", data={"csrf_token": csrf(page.text)})
    assert "tasks.tally.sweep" in rung.tasks
    assert "being counted" in client.get(f"/rounds/{cycle_id}").text
    company.count()
    assert "Release the reports" in client.get(f"/rounds/{cycle_id}").text
    page = client.get(f"/rounds/{cycle_id}/release")
    assert client.post(f"/rounds/{cycle_id}/release", data={"csrf_token": csrf(page.text)}).status_code == 303


def test_an_illegal_step_is_refused_with_its_reason(company):
    cycle_id, _ = company.open()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/close")
    answer = client.post(f"/rounds/{cycle_id}/release", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 409
    assert "cannot become" in answer.text


def test_a_draft_is_taken_apart_after_a_question(company):
    cycle_id, review_id = company.draft()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/reviews/{review_id}/remove")
    client.post(f"/rounds/{cycle_id}/reviews/{review_id}/remove", data={"csrf_token": csrf(page.text)})
    assert "Nobody yet" in client.get(f"/rounds/{cycle_id}").text
    page = client.get(f"/rounds/{cycle_id}/delete")
    client.post(f"/rounds/{cycle_id}/delete", data={"csrf_token": csrf(page.text)})
    assert client.get(f"/rounds/{cycle_id}").status_code == 404


def test_a_choice_of_raters_that_cannot_be_is_refused_and_kept_on_the_page(company):
    _cycle_id, review_id = company.draft()
    client = company.sign_in("marta")
    page = client.get(f"/reviews/{review_id}/raters")
    two = {f"rater-{company.ids[name]}": "manager" for name in ("marta", "noor")}
    answer = client.post(f"/reviews/{review_id}/raters", data={"csrf_token": csrf(page.text), **two})
    assert answer.status_code == 422
    assert "Only one manager" in answer.text
    assert len(re.findall(r'value="manager" selected', answer.text)) == 2
    with context.reading() as session:
        assert len(nominations.of(session, review_id)) == 10


def test_moving_the_end_on_the_page(company, clock):
    cycle_id, _ = company.open()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/end")
    day = (clock() + timedelta(days=30)).date()
    client.post(f"/rounds/{cycle_id}/end", data={"csrf_token": csrf(page.text), "closes_on": day.isoformat()})
    with context.reading() as session:
        assert (cycles.get(session, cycle_id).closes_at - timedelta(seconds=1)).date() == day
