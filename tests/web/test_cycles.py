"""A manager's way through a round, page by page."""

from __future__ import annotations

import html
import re
from datetime import timedelta

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations
from survey.web import cycles as pages
from tests.company import PEERS, csrf


def test_a_manager_sets_a_round_up_page_by_page_and_opens_it(company, clock, rung):
    client = company.sign_in("marta")
    page = client.get("/rounds/new")
    made = client.post("/rounds/new", data={"csrf_token": csrf(page.text), "name": "Autumn <round>"})
    assert made.status_code == 303, made.text
    people = client.get(made.location)
    assert "Autumn &lt;round&gt;" in people.text
    competency = re.search(r'name="competencies"[^>]*value="([^"]+)"', people.text).group(1)
    send = {"csrf_token": csrf(people.text), "subjects": [company.ids["sam"]], "competencies": [competency]}
    assert "Sam Rivera" in client.post(made.location, data=send, follow_redirects=True).text  # has no level
    added = client.post(made.location, data=send | {"level": "3"}, follow_redirects=True)
    assert "1 person is in" in added.text
    assert "Product Stability, level 3" in added.text
    round_ = made.location.removesuffix("/setup/people")

    raters = client.get(f"{round_}/setup/raters")
    assert "8 peers, 2 direct reports" in raters.text
    onward = client.post(f"{round_}/setup/raters", data={"csrf_token": csrf(raters.text), "minimum": "5"})
    assert onward.location == f"{round_}/setup/questions"
    questions = client.get(onward.location)
    labels = {"label_1": "Hardly", "label_2": "Rarely", "label_3": "At times", "label_4": "Often", "label_5": "Always"}
    onward = client.post(
        onward.location,
        data={"csrf_token": csrf(questions.text), "blocks": ["key_behaviors"], "opt_out": "Cannot say", **labels},
    )
    assert onward.location == f"{round_}/setup/dates"
    last = (clock() + timedelta(days=21)).date()
    onward = client.post(
        onward.location,
        data={"csrf_token": csrf(questions.text), "closes_on": last.isoformat(), "reminders": ["one-day"]},
    )
    assert onward.location == f"{round_}/setup/words"
    words = {"csrf_token": csrf(questions.text), "greeting": "Dear {name}, {round} is on <b>."}
    assert client.post(onward.location, data=words).location == f"{round_}/setup"

    overview = client.get(round_, follow_redirects=True)
    assert "12 people are asked, each with one mail. No figure rests on fewer than 5." in overview.text
    review = re.search(r"/reviews/([0-9a-f-]{36})/preview", overview.text).group(1)
    assert "Hardly" in client.get(f"{round_}/reviews/{review}/preview").text
    ready = client.get(f"{round_}/open")
    opened = client.post(f"{round_}/open", data={"csrf_token": csrf(ready.text)})
    assert opened.status_code == 303
    assert "tasks.outbox.sweep" in rung.tasks
    assert "0 of 12 answered" in client.get(round_).text


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


def test_a_large_round_is_looked_through_by_how_its_reviews_are_going(company, monkeypatch):
    monkeypatch.setattr(pages, "FEW", 2)
    monkeypatch.setattr(pages, "AT_ONCE", 2)
    cycle_id, _ = company.draft()
    few = dict.fromkeys(PEERS[:3], Relationship.PEER)
    with context.transaction() as session:
        for name in ("ewa", "farid", "grace"):
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            nominations.choose(session, review.id, {company.ids[rater]: kind for rater, kind in few.items()})
        parts = context.installation()
        cycles.open_(session, cycle_id, parts.keyring, actor_id=None, now=context.now())
    client = company.sign_in("marta")
    shown = {
        query: re.findall(r'<th scope="row">(\w+)', client.get(f"/rounds/{cycle_id}?{query}").text)
        for query in ("", "page=2", "page=99", "show=out_of_reach&page=2", "show=under_way", "show=enough&page=x")
    }
    assert shown == {
        "": ["Ewa", "Farid"],
        "page=2": ["Grace", "Sam"],
        "page=99": ["Grace", "Sam"],
        "show=out_of_reach&page=2": ["Grace"],
        "show=under_way": ["Sam"],
        "show=enough&page=x": ["Ewa", "Farid"],
    }
    page = client.get(f"/rounds/{cycle_id}?show=out_of_reach&page=2").text
    assert 'aria-current="true">Cannot be reached <span class="thin">3</span>' in page
    assert "People under review, 3–3 of 3" in page
    (remind,) = re.findall(r'action="([^"]*/remind[^"]*)"', page)
    sent = client.post(html.unescape(remind), data={"csrf_token": csrf(page)})
    assert sent.location == f"/rounds/{cycle_id}?show=out_of_reach&page=2"


def test_a_small_round_is_shown_whole(company):
    cycle_id, _ = company.open()
    page = company.sign_in("marta").get(f"/rounds/{cycle_id}").text
    assert "How they are going" not in page
    assert "People under review</caption>" in page


def test_closing_asks_first_and_then_has_it_counted(company, rung):
    cycle_id, _ = company.open()
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}/close")
    assert "10 answers have not come in" in page.text
    client.post(f"/rounds/{cycle_id}/close", data={"csrf_token": csrf(page.text)})
    assert "tasks.tally.sweep" in rung.tasks
    waiting = client.get(f"/rounds/{cycle_id}").text
    assert "being counted" in waiting
    assert f'<a href="/rounds/{cycle_id}">Look again</a>' in waiting
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
    assert "Nobody yet" in client.get(f"/rounds/{cycle_id}/setup").text
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
