"""Signing in by a mailed link."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.letters import Kind
from survey.store.people import SignIn, SignInLink
from tests.company import csrf


def test_a_known_address_gets_a_link_and_an_unknown_one_the_same_answer(company):
    client = company.app.test_client()
    known = _ask(client, "Marta@Company.test")
    unknown = _ask(client, "nobody@company.test")
    assert known.status_code == unknown.status_code == 200
    assert known.data == unknown.data
    letters = [letter for letter, _ in company.letters()]
    assert [(letter.kind, letter.address) for letter in letters] == [(Kind.SIGN_IN, "marta@company.test")]


def test_the_link_signs_in_by_a_button_and_only_once(company):
    client = company.app.test_client()
    _ask(client, "marta@company.test")
    token = next(letter.token for letter, _ in company.letters())
    page = client.get(f"/sign-in/{token}")
    client.head(f"/sign-in/{token}")
    answer = client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)})
    assert answer.status_code == 303
    assert "Marta Lindqvist" in client.get("/rounds").text
    other = company.app.test_client()
    page = other.get(f"/sign-in/{token}")
    assert other.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)}).status_code == 410


def test_the_link_expires_after_ten_minutes(company, clock):
    client = company.app.test_client()
    _ask(client, "marta@company.test")
    token = next(letter.token for letter, _ in company.letters())
    clock.move(minutes=10)
    page = client.get(f"/sign-in/{token}")
    assert client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)}).status_code == 410


def test_neither_link_nor_sign_in_is_stored_in_the_clear(company):
    client = company.sign_in("marta")
    with context.reading() as session:
        (stored,) = session.scalars(select(SignIn.hash)).all()
        assert session.scalar(select(func.count()).select_from(SignInLink)) == 0
    with client.session_transaction() as cookie:
        assert cookie["sign_in"].encode() not in stored


def test_signing_out_ends_the_sign_in_on_the_server_too(company):
    client = company.sign_in("marta")
    with client.session_transaction() as cookie:
        kept = dict(cookie)
    client.post("/sign-out", data={"csrf_token": csrf(client.get("/rounds").text)})
    with client.session_transaction() as cookie:
        cookie.update(kept)
    assert client.get("/rounds").status_code == 303


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/reports", "/reports"),
        ("https://elsewhere.test/", "/"),
        ("//elsewhere.test/", "/"),
        ("/\\elsewhere.test", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
    ],
)
def test_after_the_sign_in_only_paths_of_this_site_are_followed(company, wanted, got):
    client = company.app.test_client()
    page = client.get("/sign-in", query_string={"next": wanted})
    client.post("/sign-in", data={"csrf_token": csrf(page.text), "address": "marta@company.test", "next": wanted})
    token = next(letter.token for letter, _ in company.letters())
    page = client.get(f"/sign-in/{token}")
    answer = client.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)})
    assert answer.location == got


def test_a_page_for_people_with_an_account_leads_to_the_sign_in(company):
    answer = company.app.test_client().get("/rounds")
    assert answer.status_code == 303
    assert answer.location.startswith("/sign-in?next=")


def _ask(client, address):
    page = client.get("/sign-in")
    return client.post("/sign-in", data={"csrf_token": csrf(page.text), "address": address})
