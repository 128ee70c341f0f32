"""The rater's pages: from the mailed link to the thanks, without an account and without JavaScript."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from survey import context
from survey.store.envelopes import Draft, Envelope
from survey.store.invitations import Invitation
from tests.company import csrf, hidden, radios


def test_following_the_link_changes_nothing_however_often(company):
    company.open()
    token = company.tokens()["ana"]
    client = company.app.test_client()
    for _ in range(3):
        assert client.get(f"/r/{token}").status_code == 200
        assert client.head(f"/r/{token}").status_code == 200
    assert set(_states(company)) == {"open"}


def test_start_moves_the_token_from_the_address_into_a_cookie(company):
    company.open()
    token = company.tokens()["ana"]
    client, form = _form(company, "ana", token=token)
    cookie = client.get_cookie("rater")
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    assert token not in cookie.value
    assert token not in form.request.path
    assert token not in form.text


def test_a_complete_form_is_taken_once_and_thanked_for(company):
    company.open()
    client, form = _form(company, "ana")
    answer = client.post(form.request.path, data=_complete(form.text))
    assert answer.status_code == 303
    assert client.get(answer.location).status_code == 200
    again = client.post(form.request.path, data=_complete(form.text))
    assert (again.status_code, again.location) == (303, "/feedback/thanks")
    assert _count(Envelope) == 1


def test_a_form_with_gaps_comes_back_with_every_answer_and_the_first_gap_named(company):
    company.open()
    client, form = _form(company, "ana")
    data = _complete(form.text)
    rated = [name for name in data if name in radios(form.text)]
    del data[rated[1]], data[rated[3]]
    words = next(name for name in re.findall(r'<textarea[^>]*name="([^"]+)"', form.text))
    data[words] = "Kept <b>as it is</b> & whole"
    answer = client.post(form.request.path, data=data)
    assert answer.status_code == 422
    assert "Not answered yet: “Surfaces systemic reliability gaps" in answer.text
    assert "and 1 more" in answer.text
    assert "Kept &lt;b&gt;as it is&lt;/b&gt; &amp; whole" in answer.text
    assert answer.text.count(" checked") == len(rated) - 2
    assert _count(Envelope) == 0
    assert set(_states(company)) == {"open"}


def test_an_empty_form_changes_nothing(company):
    company.open()
    client, form = _form(company, "ana")
    for data in ({}, {"csrf_token": csrf(form.text)}, {"csrf_token": csrf(form.text), "action": "submit"}):
        assert client.post(form.request.path, data=data).status_code == 422
    assert set(_states(company)) == {"open"}


def test_a_form_whose_session_has_ended_comes_back_with_every_answer(company):
    company.open()
    client, form = _form(company, "ana")
    client.delete_cookie("session")
    answer = client.post(form.request.path, data=_complete(form.text))
    assert answer.status_code == 422
    assert "send it once more" in answer.text
    assert answer.text.count(" checked") == len(radios(form.text))
    again = client.post(form.request.path, data=_complete(form.text) | {"csrf_token": csrf(answer.text)})
    assert again.status_code == 303


def test_a_stale_page_comes_back_with_every_answer(company):
    company.open()
    client, form = _form(company, "ana")
    data = _complete(form.text) | {"fingerprint": "0" * 16}
    answer = client.post(form.request.path, data=data)
    assert answer.status_code == 422
    assert answer.text.count(" checked") == len(radios(form.text))
    assert hidden(answer.text, "fingerprint") == hidden(form.text, "fingerprint")


def test_saving_keeps_a_draft_that_only_this_browser_can_open(company):
    company.open()
    token = company.tokens()["ana"]
    client, form = _form(company, "ana", token=token)
    words = re.search(r'<textarea[^>]*name="([^"]+)"', form.text).group(1)
    saved = client.post(form.request.path, data=_hidden_fields(form.text) | {"action": "save", words: "Half a thought"})
    assert saved.status_code == 200
    assert client.get_cookie("draft").http_only
    assert "Half a thought" in client.get(form.request.path).text
    _other, same_form = _form(company, "ana", token=token)
    assert "Half a thought" not in same_form.text
    assert _count(Draft) == 1
    assert set(_states(company)) == {"open"}


def test_done_wrong_and_expired_links_look_the_same(company, clock):
    cycle_id, _ = company.open()
    tokens = company.tokens()
    company.answer(tokens["ana"])
    done = company.app.test_client().get(f"/r/{tokens['ana']}")
    wrong = company.app.test_client().get("/r/" + "x" * 43)
    company.close(cycle_id)
    expired = company.app.test_client().get(f"/r/{tokens['ben']}")
    assert (done.status_code, done.data) == (wrong.status_code, wrong.data) == (expired.status_code, expired.data)


def test_declining_is_one_post_with_a_tick_and_asks_no_reason(company):
    company.open()
    client, form = _form(company, "ana")
    page = client.get(form.request.path + "/decline")
    assert page.status_code == 200
    answer = client.post(form.request.path + "/decline", data={"csrf_token": csrf(page.text), "is_meant": "y"})
    assert answer.status_code == 303
    assert "declined" in _states(company)


@pytest.mark.parametrize("tick", [{}, {"is_meant": ""}, {"is_meant": "false"}])
def test_declining_without_the_tick_is_refused_with_a_sentence(company, tick):
    company.open()
    client, form = _form(company, "ana")
    page = client.get(form.request.path + "/decline")
    answer = client.post(form.request.path + "/decline", data={"csrf_token": csrf(page.text)} | tick)
    assert answer.status_code == 422
    assert "Please tick the box first" in answer.text
    assert set(_states(company)) == {"open"}


@pytest.mark.parametrize("name", ["ana", "ines", "marta", "sam"])
def test_before_the_first_question_everybody_reads_how_long_it_takes_and_the_statement(company, name):
    company.open()
    _, form = _form(company, name)
    before, _, _ = form.text.partition("<fieldset")
    assert re.search(r"It takes about \d+ minutes?", before)
    assert ("not anonymous" in before) is (name in {"marta", "sam"})
    assert ("We know whether you answered" in before) is (name in {"ana", "ines"})


def test_the_page_says_the_promise_and_who_will_see_what(company):
    company.open()
    tokens = company.tokens()
    _, form = _form(company, "ana", token=tokens["ana"])
    assert "We know whether you answered" in form.text
    assert "fewer than 4 people is never shown" in form.text
    assert "6 peers were asked about Sam Rivera" in form.text
    _, manager = _form(company, "marta", token=tokens["marta"])
    assert "your answers are not anonymous" in manager.text


def test_a_wrong_method_and_a_strange_id_are_pages_not_errors(company):
    client = company.app.test_client()
    assert client.get("/feedback").status_code == 410
    assert client.get("/feedback/not-an-id").status_code == 404
    assert client.post("/feedback").status_code == 405


@pytest.mark.parametrize("text", ["\x00nul", "\u202eright to left", "🎈" * 300, "<script>alert(1)</script>", "\ud800"])
def test_strange_texts_are_taken_or_refused_but_never_break(company, text):
    company.open()
    client, form = _form(company, "ana")
    words = re.search(r'<textarea[^>]*name="([^"]+)"', form.text).group(1)
    data = _complete(form.text) | {words: text.encode("utf-8", "surrogatepass")}
    answer = client.post(form.request.path, data=data)
    assert answer.status_code in {303, 422}


def test_pages_for_raters_are_kept_by_no_one_and_tell_nobody_their_address(company):
    company.open()
    _, form = _form(company, "ana")
    assert form.headers["Cache-Control"] == "no-store"
    assert form.headers["Referrer-Policy"] == "strict-origin"
    assert "unsafe" not in form.headers["Content-Security-Policy"]
    assert " style=" not in form.text
    assert "<script>" not in form.text


def _form(company, name, *, token=None):
    token = token or company.tokens()[name]
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    answer = client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 303, answer.text
    return client, client.get(answer.location)


def _complete(page):
    return _hidden_fields(page) | {"action": "submit"} | {name: values[3] for name, values in _long(page).items()}


def _long(page):
    return {name: [*values, *values] for name, values in radios(page).items()}


def _hidden_fields(page):
    return {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint")}


def _states(company):
    with context.reading() as session:
        return session.scalars(select(Invitation.state)).all()


def _count(row):
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(row))
