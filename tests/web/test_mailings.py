"""The rater's list over several rounds: from one to the next, later, and no more reminders; and reminding them now."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from survey import context
from survey.core.relationships import Relationship
from survey.services import mailings as service
from survey.store.cycles import Cycle
from survey.store.invitations import Invitation
from survey.store.mailings import Snooze
from tasks import outbox
from tests.company import csrf

PEER = Relationship.PEER
OTHERS = {"ana": PEER, "chloe": PEER, "dev": PEER, "marta": Relationship.MANAGER}


def test_the_list_shows_everybody_by_round_with_minutes_and_days(company):
    client, page = _list(company)
    assert "2 people to go" in page
    assert "About 10 minutes in all" in page
    assert "Until Monday 16 March 2026, 14 days left. About 5 minutes." in page
    assert "Until Saturday 21 March 2026, 19 days left. About 5 minutes." in page
    assert page.index("Sam Rivera") < page.index(">Ben<")
    assert client.get("/feedback").headers["Cache-Control"] == "no-store"


def test_after_one_answer_the_way_leads_to_the_next_colleague(company):
    token, client, _ = _link_and_list(company)
    company.answer(token)
    thanks = client.get("/feedback/thanks").text
    assert "One more person would like your view" in thanks
    (path,) = set(re.findall(r'href="(/feedback/[0-9a-f-]{36})"', thanks))
    assert "Go on: Ben" in thanks
    assert "Feedback for Ben" in client.get(path).text
    company.answer(token)
    assert "That was everything" in client.get("/feedback/thanks").text


def test_everybody_on_the_list_can_be_declined_from_it(company):
    _, page = _list(company)
    assert len(re.findall(r'href="/feedback/[0-9a-f-]{36}/decline"', page)) == 2


def test_a_round_is_put_off_with_one_post_and_taken_back_with_another(company):
    client, page = _list(company)
    round_ = re.search(r'name="round" value="([^"]+)"', page).group(1)
    data = {"csrf_token": csrf(page), "round": round_}
    day = re.search(r'<option value="([^"]+)">Tuesday 10', page).group(1)
    assert client.post("/feedback/later", data=data | {"when": "day", "day": day}).status_code == 303
    assert "You will be reminded on Tuesday 10 March 2026." in client.get("/feedback").text
    assert client.post("/feedback/later", data=data | {"when": "never", "is_meant": "y"}).status_code == 303
    assert "You get no more reminders of this round." in client.get("/feedback").text
    assert client.post("/feedback/later", data=data | {"when": "planned", "is_meant": "y"}).status_code == 303
    assert "reminders of this round" not in client.get("/feedback").text
    assert set(_states()) == {"open"}


@pytest.mark.parametrize(
    "wish", [{}, {"when": "day"}, {"when": "day", "day": "2026-03-14"}, {"when": "day", "day": "soon"}]
)
def test_a_day_that_cannot_be_is_refused_with_a_sentence(company, wish):
    client, page = _list(company)
    round_ = re.search(r'name="round" value="([^"]+)"', page).group(1)
    answer = client.post("/feedback/later", data={"csrf_token": csrf(page), "round": round_} | wish)
    assert answer.status_code == 400
    assert "choose" in answer.text
    strange = client.post("/feedback/later", data={"csrf_token": csrf(page), "round": "x", "when": "never"})
    assert strange.status_code == 400
    assert _snoozes() == []


def test_another_round_than_the_links_own_cannot_be_put_off(company):
    client, page = _list(company)
    cycle_id, _ = company.open({"sam": Relationship.SELF, "ben": Relationship.PEER})
    data = {"csrf_token": csrf(page), "round": str(cycle_id), "when": "never"}
    assert client.post("/feedback/later", data=data).status_code == 410
    assert client.post("/r/" + "x" * 43 + "/later", data=data).status_code == 410
    assert _snoozes() == []


def test_the_page_of_the_mail_puts_off_too(company):
    cycle_id, _ = company.open()
    token = company.tokens()["ana"]
    client = company.app.test_client()
    page = client.get(f"/r/{token}").text
    data = {"csrf_token": csrf(page), "round": str(cycle_id), "when": "never", "is_meant": "y"}
    answer = client.post(f"/r/{token}/later", data=data)
    assert answer.status_code == 303
    assert "You get no more reminders" in client.get(answer.location).text


def test_one_click_stops_the_reminders_of_the_mails_rounds_and_nothing_else(company, mailbox, clock):
    company.open()
    outbox.sweep()
    clock.move(days=7)
    outbox.sweep()
    reminder = mailbox.to("ana@company.test")[1]
    assert reminder["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = re.fullmatch(r"<http://localhost(/stop/[\w-]{43})>", reminder["List-Unsubscribe"]).group(1)
    link = re.search(r"/r/[\w-]+", reminder.get_body(("plain",)).get_content()).group()
    client = company.app.test_client()
    for method in (client.get, client.head):
        assert method(path).status_code == 200
    assert _snoozes() == []
    # As a mail program does it: no cookie, no token of a form, no browser.
    assert client.post(path, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert len(_snoozes()) == 1
    assert set(_states()) == {"open"}
    mailbox.messages.clear()
    for _ in range(6):
        clock.move(days=1)
        outbox.sweep()
    assert mailbox.to("ben@company.test")
    assert not mailbox.to("ana@company.test")
    assert "You get no more reminders" in client.get(link).text


def test_the_secret_that_stops_reminders_opens_nothing_and_all_such_pages_look_alike(company, mailbox, clock):
    company.open()
    outbox.sweep()
    clock.move(days=7)
    outbox.sweep()
    stop = re.search(r"/stop/([\w-]+)", mailbox.to("ana@company.test")[1]["List-Unsubscribe"]).group(1)
    client = company.app.test_client()
    assert client.get(f"/r/{stop}").status_code == 410
    for data in ({}, {"is_meant": "y"}, {"List-Unsubscribe": "One-Click"}):
        assert client.post(f"/stop/{stop}", data=data).data == client.post("/stop/" + "x" * 43, data=data).data
    with context.transaction() as session:
        service.stop(session, "")
    assert len(_snoozes()) == 1


def test_what_reminding_now_says_does_not_depend_on_who_is_still_asked(company, clock, rung):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    clock.move(days=2)
    seen = [_remind(company, cycle_id, review_id)]
    assert "tasks.outbox.sweep" in rung.tasks
    clock.move(days=1)
    for token in tokens.values():
        company.answer(token)
    seen.append(_remind(company, cycle_id, review_id))
    assert {said for said, _ in seen} == {
        "The next reminder about Sam Rivera goes out now, to whoever has not finished."
    }
    assert (
        len(
            {
                re.sub(r"csrf_token.*?>|\d+ of 10 answered|value=.\d+. max|<span class=.outlook.*?</span>", "", page)
                for _, page in seen
            }
        )
        == 1
    )
    again, _ = _remind(company, cycle_id, review_id)
    assert again.endswith("was brought forward today already. Nothing more is sent.")


def test_a_round_without_reminders_offers_none_to_bring_forward(company):
    cycle_id, _ = company.open()
    with context.transaction() as session:
        session.get_one(Cycle, cycle_id).reminders = []
    page = company.sign_in("marta").get(f"/rounds/{cycle_id}").text
    assert "Remind now" not in page
    assert "set up without reminders" in page


def _remind(company, cycle_id, review_id):
    """What the button beside Sam says, and the page that then stands there."""
    client = company.sign_in("marta")
    page = client.get(f"/rounds/{cycle_id}").text
    action = f"/rounds/{cycle_id}/reviews/{review_id}/remind"
    assert f'action="{action}"' in page
    answer = client.post(action, data={"csrf_token": csrf(page)}, follow_redirects=True)
    assert answer.status_code == 200
    return re.search(r'<p class="note note-done" role="status">([^<]+)</p>', answer.text).group(1), answer.text


def _list(company):
    return _link_and_list(company)[1:]


def _link_and_list(company):
    """Ana's link and list: Sam in one round, Ben in one that ends later."""
    company.open(days=14)
    company.open(OTHERS, subject="ben", days=19)
    token = company.tokens()["ana"]
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    return token, client, client.get("/feedback").text


def _snoozes():
    with context.reading() as session:
        return session.scalars(select(Snooze.person_id)).all()


def _states():
    with context.reading() as session:
        return session.scalars(select(Invitation.state)).all()
