"""A26: the next person at a shared computer, after the rater has left it, or an hour after their last step."""

from __future__ import annotations

import html
import json
import re
import secrets
from datetime import timedelta

import pytest
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from sqlalchemy import select

from survey import context
from survey.store.envelopes import Draft
from survey.web import visits
from tests.company import csrf, hidden, radios

WORDS = "Half a thought about the outage"
COOKIES = ("rater", "draft", "sent", "session")
WAYS_IN = ("/feedback", "/feedback/resume", "/feedback/thanks", "/feedback/{id}", "/feedback/{id}/decline")


def test_after_leaving_the_next_person_sees_and_sends_nothing(company):
    client, form, token = _at_work(company)
    _save(client, form)
    left = _press(client, "/feedback/leave")
    assert left.status_code == 200
    assert "You have left this computer" in left.text
    assert "saved, not sent" in left.text
    assert {name: client.get_cookie(name) for name in COOKIES} == dict.fromkeys(COOKIES)
    _sees_nothing(client, form)
    # The rater comes back by the mail, on any device, with the code that the page showed.
    code = re.search(r'<p class="code">([0-9A-Z-]+)</p>', left.text).group(1)
    other, empty = _follow(company.app.test_client(), token)
    assert WORDS not in empty.text
    assert _press(other, "/feedback/resume", code=code).status_code == 303
    assert WORDS in other.get(form.request.path).text


def test_an_hour_after_the_last_step_the_same_cookies_open_nothing(company, clock):
    client, form, _ = _at_work(company)
    _save(client, form)
    for _ in range(4):
        clock.move(minutes=59)
        assert WORDS in client.get(form.request.path).text
    kept = {name: cookie.value for name in COOKIES if (cookie := client.get_cookie(name))}
    clock.move(minutes=61)
    _sees_nothing(client, form)
    # The server says so, not the browser: somebody who copied the cookies has no more of them.
    copy = company.app.test_client()
    for name, value in kept.items():
        copy.set_cookie(name, value)
    _sees_nothing(copy, form)
    for value in kept.values():
        assert copy.get(f"/r/{value}").status_code == 410


def test_the_cookies_end_with_the_hour_in_the_browser_too(company):
    client, form, _ = _at_work(company)
    answer = _save(client, form)
    ages = {
        name: int(re.search(r"Max-Age=(\d+)", cookie).group(1))
        for cookie in answer.headers.getlist("Set-Cookie")
        for name in [cookie.partition("=")[0]]
    }
    assert ages == {"draft": 3600}
    assert client.get_cookie("rater").max_age == client.get_cookie("draft").max_age == 3600


def test_whoever_asks_to_be_kept_is_kept_for_sixty_days_and_can_leave(company, clock):
    client, form, _ = _at_work(company, days=90)
    answer = client.post(form.request.path, data=_fields(form.text) | {"action": "stay"})
    assert "This browser keeps you until you leave" in answer.text
    assert WORDS in answer.text
    clock.move(days=40)
    assert WORDS in client.get(form.request.path).text
    clock.move(days=59)
    assert client.get_cookie("rater").max_age == timedelta(days=60).total_seconds()
    copies = {name: client.get_cookie(name).value for name in ("rater", "draft")}
    _press(client, "/feedback/leave")
    _sees_nothing(client, form)
    clock.move(days=2)
    for name, value in copies.items():
        client.set_cookie(name, value)
    _sees_nothing(client, form)


def test_leaving_from_the_form_saves_what_is_typed_and_shows_the_way_back(company):
    client, form, _ = _at_work(company)
    left = client.post(form.request.path, data=_fields(form.text) | {"action": "leave"})
    assert "saved, not sent" in left.text
    assert re.search(r'<p class="code">[0-9A-Z-]+</p>', left.text)
    assert WORDS not in left.text
    _sees_nothing(client, form)


def test_leaving_an_empty_form_saves_nothing_and_says_so(company):
    client, form, _ = _at_work(company)
    data = {name: hidden(form.text, name) for name in ("csrf_token", "fingerprint", "sheet")}
    left = client.post(form.request.path, data=data | {"action": "leave"})
    assert "Nothing is saved that waits to be sent" in left.text
    assert 'class="code"' not in left.text
    assert _drafts() == []


def test_what_cannot_be_saved_is_not_left_behind(company):
    client, form, _ = _at_work(company)
    words = secrets.token_hex(20_000)  # nothing makes it shorter
    refused = client.post(form.request.path, data=_fields(form.text, words=words) | {"action": "leave"})
    assert refused.status_code == 422
    assert words in refused.text
    assert client.get_cookie("rater") is not None


def test_leaving_ends_a_sign_in_in_the_same_browser_on_both_sides(company):
    company.open()
    token = company.tokens()["marta"]
    client = company.sign_in("marta")
    copy = client.get_cookie("session").value
    client, _ = _follow(client, token)
    left = _press(client, "/feedback/leave")
    assert "you are signed out" in left.text
    client.set_cookie("session", copy)
    assert client.get("/rounds").status_code == 303


def test_leaving_works_when_the_round_has_ended(company):
    cycle_id, _ = company.open()
    client, _ = _follow(company.app.test_client(), company.tokens()["ana"])
    page = client.get("/feedback").text
    company.close(cycle_id)
    assert client.post("/feedback/leave", data={"csrf_token": csrf(page)}).status_code == 200
    assert client.get_cookie("rater") is None


def test_a_colleagues_link_takes_the_place_of_all_that_the_first_one_kept(company):
    client, form, _ = _at_work(company)
    tokens = _tokens(company)
    client.post(form.request.path, data=_fields(form.text) | {"action": "stay"})
    _, theirs = _follow(client, tokens["ben"])
    assert client.get_cookie("draft") is None
    assert client.get_cookie("rater").max_age == 3600
    assert WORDS not in theirs.text
    assert client.get(form.request.path).status_code == 410


def test_no_link_and_no_clock_can_be_read_in_a_cookie(company):
    client, form, token = _at_work(company)
    _save(client, form)
    for name in ("rater", "draft"):
        cookie = client.get_cookie(name).value
        assert token not in cookie
        for key in (bytes(32), company.app.secret_key.encode()[:32]):
            with pytest.raises((CryptoError, ValueError)):
                SecretBox(key).decrypt(visits._decoded(cookie))


def test_a_cookie_is_bound_to_what_it_is_for_and_to_its_installation(company):
    client, form, _ = _at_work(company)
    _save(client, form)
    rater, draft = (client.get_cookie(name).value for name in ("rater", "draft"))
    client.set_cookie("rater", draft)
    assert client.get("/feedback").status_code == 410
    for odd in ("", "x", "!" * 50, rater[:-2], rater + "A" * 4, json.dumps([9e9, "x", True])):
        client.set_cookie("rater", odd)
        assert client.get("/feedback").status_code == 410
    client.set_cookie("rater", rater)
    assert client.get("/feedback").status_code == 200


def _sees_nothing(client, form):
    invitation = form.request.path.rpartition("/")[2]
    for way in WAYS_IN:
        page = client.get(way.format(id=invitation))
        assert WORDS not in page.text
        assert "Sam Rivera" not in page.text
        assert page.status_code == 410 or "That was everything" in page.text
        assert page.headers["Cache-Control"] == "no-store"
    for action in ("submit", "save", "code", "stay"):
        answer = client.post(
            form.request.path, data=_fields(form.text, words="Of the next person") | {"action": action}
        )
        assert answer.status_code == 410


def _at_work(company, **kwargs):
    company.open(**kwargs)
    token = _tokens(company)["ana"]
    return *_follow(company.app.test_client(), token), token


def _tokens(company):
    """The links of the round's mails, composed once."""
    if not hasattr(company, "links"):
        company.links = company.tokens()
    return company.links


def _follow(client, token):
    page = client.get(f"/r/{token}")
    answer = client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 303, answer.text
    return client, client.get(answer.location)


def _save(client, form):
    answer = client.post(form.request.path, data=_fields(form.text) | {"action": "save"})
    assert answer.status_code == 200, answer.text
    assert "Saved, not sent" in answer.text
    return answer


def _press(client, path, **fields):
    page = client.get("/feedback").text
    return client.post(path, data={"csrf_token": csrf(page)} | fields)


def _fields(page, *, words=WORDS):
    data = {name: hidden(page, name) for name in ("csrf_token", "fingerprint", "sheet")}
    data |= {name: values[0] for name, values in list(radios(page).items())[:2]}
    return data | {re.search(r'<textarea[^>]*name="([^"]+)"', page).group(1): html.escape(words)}


def _drafts():
    with context.reading() as session:
        return session.scalars(select(Draft.id)).all()
