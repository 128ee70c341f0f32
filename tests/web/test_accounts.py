"""Signing in by a mailed link."""

from __future__ import annotations

import hashlib
import re

import pytest
import redis
from sqlalchemy import func, select

import config as settings
from survey import context
from survey.app import create_app
from survey.core import browsers
from survey.core.letters import Kind
from survey.store.people import SignIn, SignInLink
from tests import servers
from tests.company import csrf
from tests.web import doors


def test_a_known_address_gets_a_link_and_an_unknown_one_the_same_answer(company):
    client = company.app.test_client()
    known = _ask(client, "Marta@Company.test")
    unknown = _ask(client, "nobody@company.test")
    assert known.status_code == unknown.status_code == 200
    assert known.data == unknown.data
    letters = [letter for letter, _ in company.letters()]
    assert [(letter.kind, letter.address) for letter in letters] == [(Kind.SIGN_IN, "marta@company.test")]


def test_a_known_address_and_an_unknown_one_cost_the_database_the_same(company):
    written = {}
    for address in ("marta@company.test", "nobody@company.test"):
        client = company.app.test_client()
        with doors.undone(company.app) as write:
            assert _ask(client, address).status_code == 200
        written[address] = [statement.split()[0] for statement in write.written]
    assert written["marta@company.test"] == written["nobody@company.test"] == ["INSERT"]


def test_what_is_written_for_an_unknown_address_lets_nobody_in(company):
    _ask(company.app.test_client(), "nobody@company.test")
    with context.reading() as session:
        (link,) = session.scalars(select(SignInLink)).all()
    assert link.expires_at <= context.now()
    company.sign_in("marta")
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(SignInLink)) == 0


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


def test_people_see_where_they_are_signed_in_and_end_what_is_not_theirs_any_more(company):
    here = company.sign_in("marta")
    elsewhere = company.sign_in("marta")
    page = here.get("/account")
    assert page.text.count("(this one)") == 1
    assert page.text.count("End<span") == 1
    key = re.search(r'name="key" value="([0-9a-f]{64})"', page.text).group(1)
    ended = here.post("/account/sign-ins", data={"csrf_token": csrf(page.text), "key": key})
    assert ended.status_code == 303
    assert elsewhere.get("/rounds").status_code == 303
    assert here.get("/rounds").status_code == 200


def test_all_others_can_be_ended_at_once_and_links_on_their_way_with_them(company):
    here, others = company.sign_in("marta"), [company.sign_in("marta") for _ in range(2)]
    _ask(company.app.test_client(), "marta@company.test")
    token = next(letter.token for letter, _ in company.letters())
    here.post("/account/sign-ins", data={"csrf_token": csrf(here.get("/account").text)})
    assert [other.get("/rounds").status_code for other in others] == [303, 303]
    assert here.get("/rounds").status_code == 200
    late = company.app.test_client()
    page = late.get(f"/sign-in/{token}")
    assert late.post(f"/sign-in/{token}", data={"csrf_token": csrf(page.text)}).status_code == 410


@pytest.mark.parametrize("key", ["not hex", "00" * 32])
def test_nobody_ends_a_sign_in_that_is_not_theirs(company, key):
    client, other = company.sign_in("ana"), company.sign_in("marta")
    with other.session_transaction() as cookie:
        of_marta = hashlib.sha256(cookie["sign_in"].encode()).hexdigest()
    for wanted in (key, of_marta):
        page = client.get("/account")
        answer = client.post("/account/sign-ins", data={"csrf_token": csrf(page.text), "key": wanted})
        assert answer.status_code == 404
    assert other.get("/rounds").status_code == 200


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("<script>", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_known_by_its_family_and_system(user_agent, name):
    assert browsers.describe(user_agent) == name


def test_the_sixth_link_for_an_address_within_ten_minutes_is_refused_whether_it_is_known_or_not(company):
    for address in ("marta@company.test", "nobody@company.test"):
        client = company.app.test_client()
        answers = [_ask(client, typed).status_code for typed in [address, address.upper()] * 3]
        assert answers == [200] * 5 + [429]
    assert _ask(company.app.test_client(), "ana@company.test").status_code == 200


def test_what_is_counted_in_redis_names_no_address(environ, company):
    with servers.redis_server() as url:
        app = create_app(settings.load(environ | {"SURVEY_REDIS_URL": url}))
        _ask(app.test_client(), "marta@company.test")
        with redis.Redis.from_url(url) as connection:
            kept = b"".join(connection.keys())
        app.extensions[context.EXTENSION].engine.dispose()
    assert b"limit" in kept
    assert b"marta" not in kept
    assert b"127.0.0.1" not in kept


def test_what_somebody_else_puts_into_redis_breaks_no_page(environ, company):
    with servers.redis_server() as url, redis.Redis.from_url(url) as connection:
        app = create_app(settings.load(environ | {"SURVEY_REDIS_URL": url}))
        _ask(app.test_client(), "marta@company.test")
        for put in (_a_list, _a_word, _a_huge_number, _no_end):
            for key in connection.keys("*limit*"):
                put(connection, key)
            assert _ask(app.test_client(), "marta@company.test").status_code in (200, 429), put.__name__
        app.extensions[context.EXTENSION].engine.dispose()


def _a_list(connection: redis.Redis, key: bytes) -> None:
    connection.delete(key)
    connection.lpush(key, "x")


def _a_word(connection: redis.Redis, key: bytes) -> None:
    connection.set(key, "often")


def _a_huge_number(connection: redis.Redis, key: bytes) -> None:
    connection.set(key, "9" * 30)


def _no_end(connection: redis.Redis, key: bytes) -> None:
    connection.set(key, 3)
