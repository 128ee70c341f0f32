"""Stopping and going on: in the same browser, and on another device with a code."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core import codes
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations
from survey.store.envelopes import Draft
from tests.company import csrf, hidden, radios


def test_an_empty_form_is_not_saved(company):
    company.open()
    client, page = _enter(company, "ana")
    answer = client.post(page.request.path, data=_fields(page.text) | {"action": "save"})
    assert answer.status_code == 422
    assert "nothing to save" in answer.text
    assert client.get_cookie("draft") is None
    assert _drafts() == 0


def test_the_code_is_shown_only_when_it_is_asked_for_and_is_kept_nowhere(company):
    company.open()
    client, page = _enter(company, "ana")
    assert "Show a code" not in page.text
    saved = _save(client, page, "Half a thought")
    assert "Show a code for another device" in saved.text
    assert _code_in(saved.text) is None
    shown = _save(client, page, "Half a thought, and more", action="code")
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Half a thought, and more" in shown.text
    secret = codes.read(_code_in(shown.text))
    with context.reading() as session:
        ((draft_id, box),) = session.execute(select(Draft.id, Draft.box)).all()
    assert secret not in draft_id + box
    assert _code_in(client.get(page.request.path).text) is None


def test_another_device_goes_on_with_link_and_code_and_both_share_what_is_saved(company):
    company.open()
    token = company.tokens()["ana"]
    first, page = _enter(company, "ana", token)
    code = _code_in(_save(first, page, "Half a thought", action="code").text)
    second, empty = _enter(company, "ana", token)
    assert "Half a thought" not in empty.text
    answer = _resume(second, code.lower().replace("-", " "))
    assert answer.status_code == 303
    assert answer.location == page.request.path
    assert second.get_cookie("draft").http_only
    assert "Half a thought" in second.get(answer.location).text
    _save(second, second.get(answer.location), "A whole thought")
    assert "A whole thought" in first.get(page.request.path).text
    assert _drafts() == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Please enter the code."),
        ("ABC", "this one has 3"),
        ("0" * 28, "slip somewhere"),
        (codes.spell(bytes(16)), "Nothing is saved under this code"),
    ],
)
def test_a_wrong_code_is_a_sentence_and_nothing_is_lost(company, typed, sentence):
    company.open()
    client, page = _enter(company, "ana")
    _save(client, page, "Half a thought")
    before = client.get_cookie("draft").value
    answer = _resume(client, typed)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'value="{typed}"' in answer.text
    assert client.get_cookie("draft").value == before
    assert "Half a thought" in client.get(page.request.path).text


def test_a_code_without_its_link_opens_nothing(company):
    company.open()
    tokens = company.tokens()
    ana, page = _enter(company, "ana", tokens["ana"])
    code = _code_in(_save(ana, page, "Half a thought", action="code").text)
    stranger = company.app.test_client()
    assert stranger.get("/feedback/resume").status_code == 410
    ben, of_ben = _enter(company, "ben", tokens["ben"])
    answer = _resume(ben, code)
    assert answer.status_code == 422
    assert "Half a thought" not in answer.text
    assert "Half a thought" not in ben.get(of_ben.request.path).text
    ben.set_cookie("draft", ana.get_cookie("draft").value)
    assert "Half a thought" not in ben.get(of_ben.request.path).text
    assert ben.get(page.request.path).status_code == 410


def test_what_both_devices_had_saved_comes_together_for_everybody_on_the_list(company):
    _open_about_two(company)
    token = company.tokens()["ana"]
    laptop, phone = _enter_list(company, token), _enter_list(company, token)
    about_ben, about_sam = re.findall(r'href="(/feedback/[0-9a-f-]{36})"', laptop.get("/feedback").text)
    form = laptop.get(about_sam)
    first, second, third = re.findall(r'<textarea[^>]*name="([^"]+)"', form.text)
    laptop.post(about_sam, data=_fields(form.text) | {"action": "save", first: "L1", second: "L2"})
    form = laptop.get(about_ben)
    laptop.post(about_ben, data=_fields(form.text) | {"action": "save", first: "Of the laptop alone"})
    form = phone.get(about_sam)
    shown = phone.post(about_sam, data=_fields(form.text) | {"action": "code", second: "P2", third: "P3"})
    answer = _resume(laptop, _code_in(shown.text))
    assert answer.location == "/feedback"
    for device in (laptop, phone):
        page = device.get(about_sam).text
        assert [
            re.search(rf'name="{name}"[^>]*>\s*([^<]*)<', page).group(1).strip() for name in (first, second, third)
        ] == [
            "L1",
            "P2",
            "P3",
        ]
        assert "Of the laptop alone" in device.get(about_ben).text
    assert _drafts() == 2


def test_the_answer_takes_the_draft_of_both_devices_with_it(company):
    company.open()
    token = company.tokens()["ana"]
    first, page = _enter(company, "ana", token)
    code = _code_in(_save(first, page, "Half a thought", action="code").text)
    second, page = _enter(company, "ana", token)
    _resume(second, code)
    complete = {name: values[3] if len(values) > 3 else values[0] for name, values in radios(page.text).items()}
    assert second.post(page.request.path, data=_fields(page.text) | {"action": "submit"} | complete).status_code == 303
    assert _drafts() == 0
    assert first.get(page.request.path).status_code == 410


def _open_about_two(company):
    raters = dict.fromkeys(("ana", "chloe", "dev", "ewa"), Relationship.PEER)
    cycle_id, _ = company.draft(raters)
    with context.transaction() as session:
        review = drafts.add_review(session, cycle_id, company.ids["ben"], [company.page_id])
        nominations.choose(session, review.id, {company.ids[name]: kind for name, kind in raters.items()})
        cycles.open_(session, cycle_id, context.installation().keyring, actor_id=None, now=context.now())


def _enter(company, name, token=None):
    token = token or company.tokens()[name]
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    answer = client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)})
    return client, client.get(answer.location)


def _enter_list(company, token):
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    assert client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)}).location == "/feedback"
    return client


def _save(client, page, words, *, action="save"):
    name = re.search(r'<textarea[^>]*name="([^"]+)"', page.text).group(1)
    return client.post(page.request.path, data=_fields(page.text) | {"action": action, name: words})


def _resume(client, code):
    page = client.get("/feedback/resume")
    assert page.status_code == 200, page.text
    return client.post("/feedback/resume", data={"csrf_token": csrf(page.text), "code": code})


def _code_in(page):
    found = re.search(r'<p class="code">([0-9A-Z-]+)</p>', page)
    return found.group(1) if found else None


def _fields(page):
    return {"csrf_token": csrf(page), "fingerprint": hidden(page, "fingerprint")}


def _drafts():
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(Draft))
