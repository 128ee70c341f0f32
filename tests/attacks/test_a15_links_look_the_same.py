"""A15: what comes back for done, wrong, declined and expired links, told apart by anything in it."""

from __future__ import annotations

import http.client
import uuid
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from survey import context
from survey.core.relationships import Relationship
from survey.services import responses
from survey.store.invitations import Invitation
from tests.attacks import weakened
from tests.company import csrf

WRONG = "x" * 43


def test_a_page_that_says_already_answered_tells_done_from_wrong(company, web, monkeypatch):
    weakened.remember_the_done(monkeypatch)
    links, invitations = _links(company)
    attempts = list(_attempts(web, links, invitations))
    assert sum(looks["done"] != looks["wrong"] for looks in attempts) >= 4
    assert all(looks["expired"] == looks["wrong"] for looks in attempts)


def test_used_wrong_declined_and_expired_links_are_answered_with_the_same_bytes(company, web):
    links, invitations = _links(company)
    tried = 0
    for looks in _attempts(web, links, invitations):
        tried += 1
        for kind in looks:
            for left, right in zip(looks[kind], looks["wrong"], strict=True):
                assert left == right, kind
        assert looks["done"][0] >= 400 or b"Thank you" in looks["done"][2] or looks["done"][2] == b""
    assert tried == 13


def test_a_post_with_its_form_s_token_looks_the_same_too(company):
    links, invitations = _links(company)
    seen = set()
    for kind, token in links.items():
        client = company.app.test_client()
        spare = client.get(f"/r/{links['still open']}")
        client.set_cookie("rater", token)
        data = {"csrf_token": csrf(spare.text), "is_meant": "y", "code": "0", "action": "submit"}
        if kind != "still open":
            for path in (f"/r/{token}", "/feedback/resume", *_pages(invitations[kind])):
                answer = client.post(path, data=data)
                seen.add((path.count("/"), answer.status_code, answer.data, tuple(_headers(answer.headers.items()))))
    # One look for all kinds of links, at each depth of an address.
    assert len({status for _, status, _, _ in seen}) == 1
    assert len({body for _, _, body, _ in seen}) == 1
    assert len({headers for *_, headers in seen}) == 1


def _links(company):
    """A link of each kind, and the invitation that it was for. The round that is over lies beside an open one."""
    over, _ = company.open(dict.fromkeys(("ana", "ben", "chloe", "dev"), Relationship.PEER), subject="ewa")
    expired = company.tokens()["ana"]
    expired_id = _invitation(company, "ana")
    company.close(over)
    company.open()
    tokens = company.tokens()
    ids = {"done": _invitation(company, "ana"), "declined": _invitation(company, "ben")}
    company.answer(tokens["ana"])
    with context.transaction() as session:
        responses.decline(session, tokens["ben"], ids["declined"], draft_secret=None)
    links = {"done": tokens["ana"], "declined": tokens["ben"], "wrong": WRONG, "expired": expired}
    return links | {"still open": tokens["chloe"]}, ids | {"wrong": uuid.uuid4(), "expired": expired_id}


def _invitation(company, name):
    with context.reading() as session:
        statement = select(Invitation.id).where(Invitation.rater_id == company.ids[name], Invitation.state == "open")
        return session.scalars(statement).one()


def _attempts(web, links, invitations):
    """What each kind of link gets from the server, for each way of asking."""
    kinds = ("done", "declined", "wrong", "expired")
    for method in ("GET", "HEAD", "POST"):
        yield {kind: _ask(web, method, f"/r/{links[kind]}") for kind in kinds}
    for method, path in (
        ("GET", "/feedback"),
        ("HEAD", "/feedback"),
        ("GET", "/feedback/resume"),
        ("GET", "/feedback/thanks"),
    ):
        yield {kind: _ask(web, method, path, links[kind]) for kind in kinds}
    for method in ("GET", "HEAD", "POST"):
        for number in range(2):
            yield {kind: _ask(web, method, _pages(invitations[kind])[number], links[kind]) for kind in kinds}


def _pages(invitation_id):
    return f"/feedback/{invitation_id}", f"/feedback/{invitation_id}/decline"


def _ask(web, method, path, cookie=""):
    """Status, headers without the date, and body."""
    address = urlsplit(web)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=180)
    headers = {"Host": address.netloc} | ({"Cookie": f"rater={cookie}"} if cookie else {})
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, tuple(_headers(answer.getheaders())), answer.read()
    connection.close()
    return found


def _headers(headers):
    return sorted((name, value) for name, value in headers if name != "Date")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
