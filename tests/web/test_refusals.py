"""Typed text is never thrown away: whatever refuses a form, its words come back, and with them the way on."""

from __future__ import annotations

import html
import re

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.relationships import Relationship
from survey.services import responses
from survey.store.envelopes import Envelope
from survey.web import refusals
from tests.company import csrf, hidden, radios
from tests.web import doors, forms

WORDS = "Half a page <b>about</b> the outage & more,\nin two lines."
ESCAPED = html.escape(WORDS)
OTHERS = dict.fromkeys(("ana", "chloe", "dev", "ewa"), Relationship.PEER)


def test_a_newer_mails_form_is_still_sent_after_an_older_mail_was_opened(company):
    company.open()
    older = company.tokens()["ana"]
    company.open(OTHERS, subject="ben")
    newer = company.tokens()["ana"]
    client, listed = _follow(company.app.test_client(), newer)
    form = client.get(re.search(r'href="(/feedback/[0-9a-f-]{36})">Ben<', listed.text).group(1))
    _, listed = _follow(client, older)
    assert "2 people to go" in listed.text
    answer = client.post(form.request.path, data=_filled(form.text))
    assert (answer.status_code, answer.location) == (303, "/feedback/thanks")
    assert _envelopes() == 1


def test_a_form_whose_link_another_mail_replaced_comes_back_and_can_be_sent_after_all(company):
    company.open()
    tokens = company.tokens()
    client, form = _follow(company.app.test_client(), tokens["ana"])
    _follow(client, tokens["ben"])
    answer = client.post(form.request.path, data=_filled(form.text))
    _holds_the_words(answer, 410)
    assert "follow its link in this browser" in answer.text
    _follow(client, tokens["ana"])
    again = client.post(form.request.path, data=_sent_again(answer.text))
    assert (again.status_code, again.location) == (303, "/feedback/thanks")
    assert _envelopes() == 1


def test_a_form_without_its_cookies_comes_back_and_can_be_sent_after_all(company):
    company.open()
    token = company.tokens()["ana"]
    client, form = _follow(company.app.test_client(), token)
    for name in ("rater", "session"):
        client.delete_cookie(name)
    answer = client.post(form.request.path, data=_filled(form.text))
    _holds_the_words(answer, 410)
    _follow(client, token)
    kept = client.post(form.request.path, data=_sent_again(answer.text))
    assert kept.status_code == 422
    assert ESCAPED in kept.text
    again = client.post(form.request.path, data=_filled(kept.text))
    assert again.status_code == 303
    assert _envelopes() == 1


@pytest.mark.parametrize("why", ["closed", "answered elsewhere", "declined"])
def test_a_form_that_came_too_late_comes_back_and_does_not_tell_why(company, why):
    cycle_id, _ = company.open()
    token = company.tokens()["ana"]
    client, form = _follow(company.app.test_client(), token)
    data = _filled(form.text)
    wrong = company.app.test_client().post(form.request.path, data=data)
    if why == "closed":
        company.close(cycle_id)
    elif why == "answered elsewhere":
        company.answer(token)
    else:
        with context.transaction() as session:
            (waiting,) = responses.waiting(session, token)
            responses.decline(session, token, waiting.invitation_id, draft_secret=None)
    answer = client.post(form.request.path, data=data)
    _holds_the_words(answer, 410)
    assert (answer.data, _headers(answer)) == (wrong.data, _headers(wrong))


def test_the_same_form_sent_twice_leads_to_thanks_and_the_next_colleague(company):
    company.open()
    company.open(OTHERS, subject="ben")
    token = company.tokens()["ana"]
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    path = re.search(r'href="(/feedback/[0-9a-f-]{36})"', client.get("/feedback").text).group(1)
    data = _filled(client.get(path).text)
    for _ in range(3):
        answer = client.post(path, data=data)
        assert (answer.status_code, answer.location) == (303, "/feedback/thanks")
    assert "Go on: " in client.get("/feedback/thanks").text
    assert _envelopes() == 1


def test_another_tab_with_other_words_gets_them_back_after_the_first_was_sent(company):
    company.open()
    client, form = _follow(company.app.test_client(), company.tokens()["ana"])
    other = client.get(form.request.path)
    assert client.post(form.request.path, data=_filled(other.text, words="First.")).status_code == 303
    _holds_the_words(client.post(form.request.path, data=_filled(form.text)), 410)
    assert _envelopes() == 1


def test_that_a_form_was_sent_is_known_to_its_own_browser_alone(company):
    company.open()
    token = company.tokens()["ana"]
    client, form = _follow(company.app.test_client(), token)
    spy, _ = _follow(company.app.test_client(), token)
    data = _filled(form.text)
    assert client.post(form.request.path, data=data).status_code == 303
    assert spy.post(form.request.path, data=data).status_code == 410


def test_what_is_larger_than_can_be_taken_comes_back(company):
    company.open()
    client, form = _follow(company.app.test_client(), company.tokens()["ana"])
    answer = client.post(form.request.path, data=_filled(form.text, words=WORDS + "x" * 1_100_000))
    _holds_the_words(answer, 413, ended=False)
    longer = client.post(form.request.path, data=_filled(form.text, words=WORDS * 400))
    assert longer.status_code == 422
    assert longer.text.count(ESCAPED) == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
def test_what_comes_as_no_form_comes_back_as_it_was(company, kind):
    company.open()
    client, form = _follow(company.app.test_client(), company.tokens()["ana"])
    for path in (form.request.path, "/feedback/later", "/sign-in"):
        answer = client.post(path, data=WORDS, content_type=kind)
        if path == form.request.path:
            continue  # shows the empty form: nothing that it asks for was there
        _holds_the_words(answer, 400)


def test_every_form_with_words_in_it_gives_them_back_when_its_session_has_ended(world):
    """Nothing of it is kept by a browser or a log; passphrases and codes are shown to nobody again."""
    tried = 0
    for form in forms.all_of(world):
        if form.door.endpoint in {"responses.answer", "mailings.stop"}:
            continue  # they look at the token themselves, or need none
        names = [name for name in form.fields if refusals._is_typed(name, WORDS)]
        for client in (doors.as_it_was(form.client), world.app.test_client()):
            client.delete_cookie("session")
            with doors.undone(world.app) as write:
                answer = client.post(form.address, data=dict.fromkeys(form.fields, WORDS) | {"csrf_token": "old"})
            assert write.written == [], form.door
            if names:
                tried += 1
                _holds_the_words(answer, 400, times=len(names))
                assert len(re.findall(r"<textarea", answer.text)) == len(names)
    assert tried > 25


def test_whoever_is_not_signed_in_any_more_gets_their_words_back_and_a_way_to_sign_in(company, clock):
    client = company.sign_in("noor")
    page = client.get("/people/new").text
    clock.move(days=30)
    data = {"csrf_token": csrf(page), "name": WORDS, "address": "a@company.test"}
    answer = client.post("/people/new", data=data)
    _holds_the_words(answer, 401)
    assert 'href="/sign-in' in answer.text
    assert client.post("/people/new", data={"csrf_token": csrf(page)}).status_code == 303


def test_a_name_that_is_too_long_comes_back_whole(company):
    cycle_id, _ = company.draft()
    client = company.sign_in("noor")
    page = client.get(f"/rounds/{cycle_id}/setup").text
    answer = client.post(f"/rounds/{cycle_id}/setup/name", data={"csrf_token": csrf(page), "name": "n" * 201})
    assert answer.status_code == 400
    assert "n" * 201 in answer.text
    again = client.post(f"/rounds/{cycle_id}/setup/name", data=_sent_again(answer.text) | {"name": "Shorter"})
    assert again.status_code == 303


def test_words_of_another_site_are_shown_and_not_offered_to_be_sent(company):
    client = company.sign_in("noor")
    for headers in ({"Origin": "https://elsewhere.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = client.post("/people/new", data={"name": WORDS}, headers=headers)
        assert answer.status_code == 400
        assert ESCAPED in answer.text
        assert "Send it again" not in answer.text
        assert "csrf_token" not in answer.text.partition("<main")[2]


def test_no_passphrase_is_shown_again(company):
    client = company.sign_in("noor")
    secret = {name: f"secret of {name}" for name in ("first", "first_again", "second", "second_again", "code")}
    answer = client.post("/people/new", data={"name": WORDS} | secret)
    assert "secret of" not in answer.text


def _follow(client, token):
    page = client.get(f"/r/{token}")
    answer = client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 303, answer.text
    return client, client.get(answer.location)


def _filled(page, *, words=WORDS):
    """The form as a browser sends it: everything rated, and these words in the first open answer."""
    data = {name: hidden(page, name) for name in ("csrf_token", "fingerprint", "sheet")} | {"action": "submit"}
    data |= {name: values[0] for name, values in radios(page).items()}
    return data | {re.search(r'<textarea[^>]*name="([^"]+)"', page).group(1): words}


def _sent_again(page):
    """What the form of a refused text sends."""
    form = re.search(r'<form class="refused".*?</form>', page, re.DOTALL).group()
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    fields += re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?([^<]*)</textarea>', form)
    return {name: html.unescape(value) for name, value in fields}


def _holds_the_words(answer, status, *, times=1, ended=True):
    assert answer.status_code == status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text.count(ESCAPED + ("</textarea>" if ended else "")) == times, answer.text
    assert WORDS not in answer.text


def _headers(answer):
    return sorted((name, value) for name, value in answer.headers if name != "Date")


def _envelopes():
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(Envelope))
