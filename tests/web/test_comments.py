"""Comments before their release: for people operations alone, logged, and withheld for good."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from survey import context
from survey.core.access import Role
from survey.core.audit import Event
from survey.core.relationships import Relationship
from survey.services import audit, cycles, drafts, nominations, responses
from survey.store.people import Person
from survey.store.reports import Comment, Withheld
from tests.company import PEERS, csrf

pytestmark = pytest.mark.untouched

CANARY = "Zugvogel: he shouts at people who ask for a review."
QUESTION = "1.seek_feedback.1"


def test_people_operations_read_all_comments_without_group_and_without_reflections(company, counted):
    cycle_id, _ = counted
    client = company.sign_in("noor")
    assert f"/rounds/{cycle_id}/comments" in client.get(f"/rounds/{cycle_id}").text
    page = client.get(f"/rounds/{cycle_id}/comments").text
    for name in (*PEERS[1:6], "ines", "jonas", "marta"):
        assert page.count(f"What {name} wrote.") == 3, name  # once for each question of the page
    # Sam answered only the questions to oneself, and these are nobody else's.
    assert "What sam wrote." not in page
    for word in ("Peers", "Manager", "Direct report", "Self"):
        assert word not in page.split("<main", 1)[1]


def test_comments_on_a_question_lie_in_an_order_that_is_not_that_of_the_answers(company, counted):
    cycle_id, _ = counted
    page = company.sign_in("noor").get(f"/rounds/{cycle_id}/comments").text
    orders = [re.findall(r"What (\w+) wrote", part) for part in page.split('class="question"')[1:]]
    assert len(orders) == 3
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted([*PEERS[1:6], "ines", "jonas", "marta"]))}
    assert len({tuple(order) for order in orders}) > 1  # 8! orders: the same three times is no chance


@pytest.mark.parametrize("name", ["marta", "sam", "ana"])
def test_nobody_else_gets_the_page_not_even_who_launched_the_round(company, counted, name):
    cycle_id, _ = counted
    client = company.sign_in(name)
    token = csrf(client.get("/reports").text)
    comment = some_comment()
    for answer in (
        client.get(f"/rounds/{cycle_id}/comments"),
        client.post(f"/rounds/{cycle_id}/comments/ask", data={"csrf_token": token, "comment": comment}),
        client.post(
            f"/rounds/{cycle_id}/comments/withhold",
            data={"csrf_token": token, "comment": comment, "reason": "abuse"},
        ),
    ):
        assert answer.status_code == 403
        assert "wrote" not in answer.text
    assert "/comments" not in client.get(f"/rounds/{cycle_id}").text
    assert log(Event.COMMENTS_READ, Event.COMMENT_WITHHELD) == []


def test_reading_the_page_is_recorded_once_a_day(company, counted, clock):
    cycle_id, _ = counted
    client = company.sign_in("noor")
    for _ in range(3):
        client.get(f"/rounds/{cycle_id}/comments")
    assert log(Event.COMMENTS_READ) == [(company.ids["noor"], cycle_id, {})]
    clock.move(days=1)
    client.get(f"/rounds/{cycle_id}/comments?page=99")
    assert len(log(Event.COMMENTS_READ)) == 2


def test_withholding_asks_for_a_reason_and_deletes_the_text_for_good(company, counted):
    cycle_id, review_id = counted
    client = company.sign_in("noor")
    asked = ask(client, cycle_id, CANARY)
    assert "do not quote the comment" in asked.text
    unanswered = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked))
    assert unanswered.status_code == 422
    assert "Please choose a reason." in unanswered.text
    quoted = {"reason": "abuse", "explanation": "It says he shouts at people."}
    refused = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked) | quoted)
    assert refused.status_code == 422
    assert "repeat the comment" in refused.text
    assert "It says he shouts at people." in refused.text  # nothing that was typed is lost
    assert texts().count(CANARY) == 3
    given = {"reason": "abuse", "explanation": "An attack on <somebody>."}
    done = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked) | given)
    assert done.status_code == 303
    assert texts().count(CANARY) == 2
    page = client.get(f"/rounds/{cycle_id}/comments").text
    assert "The comment is withheld. Its text is deleted." in page
    assert page.count("1 comment was withheld.") == 1
    [(actor, about, detail)] = log(Event.COMMENT_WITHHELD)
    assert (actor, about) == (company.ids["noor"], review_id)
    assert detail.keys() == {"question", "reason", "in words"}
    assert "Zugvogel" not in str(detail)
    again = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked) | given)
    assert again.status_code == 404


def test_the_report_says_at_the_question_that_a_comment_was_withheld(company, counted):
    cycle_id, review_id = counted
    client = company.sign_in("noor")
    withhold(client, cycle_id, CANARY)
    company.release(cycle_id)
    for name in ("sam", "marta"):
        page = company.sign_in(name).get(f"/reports/{review_id}").text
        assert page.count("1 comment was withheld by people operations.") == 1
        assert page.count("Zugvogel") == 2
        assert "people wrote something here" not in page


def test_the_minimum_holds_when_as_many_as_it_asks_for_wrote_and_some_are_withheld(company):
    raters = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(PEERS[:4], Relationship.PEER)
    cycle_id, review_id = company.open(raters)
    for name, token in company.tokens().items():
        company.answer(token, words=f"What {name} wrote.")
    company.close(cycle_id)
    company.count()
    client = company.sign_in("noor")
    withhold(client, cycle_id, "What ana wrote.")
    company.release(cycle_id)
    sections = company.sign_in("sam").get(f"/reports/{review_id}").text.split('class="comments"')[1:]
    told = [section for section in sections if "withheld" in section]
    assert len(told) == 1
    assert len(re.findall(r"What (?:ben|chloe|dev) wrote", told[0])) == 3
    assert "people wrote something here" not in told[0]


def test_a_question_whose_comments_are_all_withheld_does_not_claim_that_too_few_wrote(company, counted):
    cycle_id, review_id = counted
    client = company.sign_in("noor")
    with context.reading() as session:
        rows = session.scalars(select(Comment).where(Comment.item == QUESTION)).all()
    for row in rows:
        withhold(client, cycle_id, row.text, key=row.id)
    assert "9 comments were withheld." in client.get(f"/rounds/{cycle_id}/comments").text
    company.release(cycle_id)
    page = company.sign_in("sam").get(f"/reports/{review_id}").text
    assert page.count("9 comments were withheld by people operations.") == 1
    assert "people wrote something here" not in page
    with context.reading() as session:
        assert {(row.group, row.comments) for row in session.scalars(select(Withheld))} == {
            ("pooled", 8),
            ("manager", 1),
        }


def test_where_too_few_wrote_the_managers_comment_can_be_withheld_all_the_same(company):
    cycle_id, review_id = company.open()
    for name, token in company.tokens().items():
        company.answer(token, words=f"What {name} wrote." if name in {"ana", "ben", "marta"} else "")
    company.close(cycle_id)
    company.count()
    client = company.sign_in("noor")
    page = client.get(f"/rounds/{cycle_id}/comments").text
    assert page.count("What marta wrote.") == 3
    assert "What ana wrote." not in page  # what was not published is nowhere any more
    withhold(client, cycle_id, "What marta wrote.")
    company.release(cycle_id)
    page = company.sign_in("sam").get(f"/reports/{review_id}").text
    assert page.count("Fewer than 4 people wrote something here") == 3
    assert page.count("1 comment was withheld by people operations.") == 1


def test_before_the_count_and_after_the_release_the_page_refuses_with_a_sentence(company):
    cycle_id, _ = company.open()
    client = company.sign_in("noor")
    for name, token in company.tokens().items():
        company.answer(token, words=f"What {name} wrote.")
    assert refusal(client, cycle_id) == (409, "when the round has closed")
    company.close(cycle_id)
    assert refusal(client, cycle_id) == (409, "when the round has closed")
    company.count()
    asked = ask(client, cycle_id, "What ana wrote.")
    company.release(cycle_id)
    assert refusal(client, cycle_id) == (409, "have been released")
    late = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked) | {"reason": "abuse"})
    assert late.status_code == 409
    assert "have been released" in late.text
    assert texts().count("What ana wrote.") == 3


def test_nobody_looks_through_the_comments_about_themselves(company, counted):
    cycle_id, _ = counted
    with context.transaction() as session:
        session.get_one(Person, company.ids["sam"]).role = Role.PEOPLE_OPERATIONS
    client = company.sign_in("sam")
    page = client.get(f"/rounds/{cycle_id}/comments").text
    assert "Comments about yourself are left out." in page
    assert "Nothing to look through" in page
    assert not re.search(r"What \w+ wrote", page)
    tried = client.post(
        f"/rounds/{cycle_id}/comments/withhold",
        data={"csrf_token": csrf(page), "comment": some_comment(), "reason": "abuse"},
    )
    assert tried.status_code == 404
    assert len(texts()) == 27 + 3


def test_a_private_reflection_and_a_comment_of_another_round_cannot_be_reached(company, counted):
    cycle_id, _ = counted
    other, _ = company.open()
    for name, token in company.tokens().items():
        company.answer(token, words=f"What {name} wrote in the other round.")
    company.close(other)
    company.count()
    client = company.sign_in("noor")
    token = csrf(client.get(f"/rounds/{cycle_id}/comments").text)
    with context.reading() as session:
        reflection = session.scalar(select(Comment.id).where(Comment.text == "What sam wrote."))
        elsewhere = session.scalar(select(Comment.id).where(Comment.text == "What ben wrote in the other round."))
    for key in (reflection, elsewhere, "no-key", ""):
        for step in ("ask", "withhold"):
            answer = client.post(
                f"/rounds/{cycle_id}/comments/{step}",
                data={"csrf_token": token, "comment": key, "reason": "abuse"},
            )
            assert answer.status_code == 404, (key, step)


def test_the_key_of_a_comment_stands_in_no_address(company, counted):
    cycle_id, _ = counted
    client = company.sign_in("noor")
    page = client.get(f"/rounds/{cycle_id}/comments").text
    keys = {str(key) for key in comment_ids()}
    links = re.findall(r'(?:href|action)="([^"]+)"', page + ask(client, cycle_id, CANARY).text)
    assert not [link for link in links if any(key in link for key in keys)]
    assert not [key for key in keys if key in str(log(*Event))]


def test_a_withheld_text_is_in_no_file_of_the_database(company, counted):
    cycle_id, _ = counted
    client = company.sign_in("noor")
    for key in [key for key, text in comments() if text == CANARY]:
        withhold(client, cycle_id, CANARY, key=key)
    assert CANARY not in texts()
    assert "Zugvogel" not in files_of_the_database()
    assert "What ben wrote" in files_of_the_database()  # the search can find something


def test_many_reviews_are_looked_through_page_by_page(company, monkeypatch):
    monkeypatch.setattr("survey.services.comments.AT_ONCE", 1)
    cycle_id, _ = company.draft()
    with context.transaction() as session:
        other = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, other.id, nominations.suggest(session, other.subject))
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())
    for token in company.tokens().values():
        with context.reading() as session:
            waiting = len(responses.waiting(session, token))
        for _ in range(waiting):
            company.answer(token, words="Something useful.")
    company.close(cycle_id)
    company.count()
    client = company.sign_in("noor")
    first = client.get(f"/rounds/{cycle_id}/comments").text
    second = client.get(f"/rounds/{cycle_id}/comments?page=2").text
    assert ("Page 1 of 2" in first, "<h2>Ben</h2>" in first, "<h2>Sam Rivera</h2>" in first) == (True, True, False)
    assert ("Page 2 of 2" in second, "<h2>Ben</h2>" in second, "<h2>Sam Rivera</h2>" in second) == (True, False, True)


def ask(client, cycle_id, text, key=None):
    page = client.get(f"/rounds/{cycle_id}/comments").text
    key = key or next(one for one, said in comments() if said == text)
    answer = client.post(f"/rounds/{cycle_id}/comments/ask", data={"csrf_token": csrf(page), "comment": key})
    assert answer.status_code == 200, answer.text
    return answer


def withhold(client, cycle_id, text, key=None):
    asked = ask(client, cycle_id, text, key)
    done = client.post(f"/rounds/{cycle_id}/comments/withhold", data=fields(asked) | {"reason": "abuse"})
    assert done.status_code == 303, done.text


def fields(page):
    form = page.text.split("<main", 1)[1]
    key = re.search(r'name="comment"[^>]*value="([^"]+)"', form)
    return {"csrf_token": csrf(form), "comment": key.group(1)}


def refusal(client, cycle_id):
    answer = client.get(f"/rounds/{cycle_id}/comments")
    assert "wrote" not in answer.text
    return answer.status_code, next(
        words for words in ("when the round has closed", "have been released") if words in answer.text
    )


def comments():
    with context.reading() as session:
        return session.execute(select(Comment.id, Comment.text)).all()


def comment_ids():
    return [key for key, _ in comments()]


def some_comment():
    return next(key for key, text in comments() if text == "What ben wrote.")


def texts():
    return [text for _, text in comments()]


def log(*events):
    with context.reading() as session:
        return [
            (entry.actor_id, entry.about, entry.detail)
            for entry in audit.newest(session, limit=1000)
            if entry.event in events
        ]


def files_of_the_database():
    """Everything in the files that rows live in; PostgreSQL's log is kept for recovery and is not looked at."""
    engine = context.installation().engine
    if engine.dialect.name == "sqlite":
        path = Path(engine.url.database)
        return "".join(
            file.read_bytes().decode("latin-1") for file in path.parent.glob(path.name + "*") if file.is_file()
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        folder = connection.exec_driver_sql("SHOW data_directory").scalar_one()
        database = connection.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar()
    place = Path(folder) / "base" / str(database)
    return "".join((place / name).read_bytes().decode("latin-1") for name in os.listdir(place))


@pytest.fixture
def counted(company):
    """A round that is counted and not released: six peers, and what the manager and Sam wrote."""
    cycle_id, review_id = company.open()
    for name, token in company.tokens().items():
        company.answer(token, words=CANARY if name == "ana" else f"What {name} wrote.")
    company.close(cycle_id)
    company.count()
    return cycle_id, review_id
