"""A11: one invitation, two links, fifty parallel posts over HTTP."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import func, select

from survey import context
from survey.store.envelopes import Envelope
from survey.store.invitations import Invitation, InvitationToken, State, mint
from tests.attacks import weakened
from tests.company import csrf, hidden, radios

POSTS = 50


def test_a_claim_in_two_steps_takes_an_answer_twice(company, web, monkeypatch):
    requests = _requests(company)
    weakened.claim_in_two_steps(monkeypatch)
    statuses = _post_at_once(web, requests)
    assert statuses[303] > 1
    assert _envelopes() == statuses[303]


def test_fifty_posts_by_two_links_leave_one_envelope_and_one_success(company, web):
    statuses = _post_at_once(web, _requests(company))
    assert statuses == {303: 1, 410: POSTS - 1}
    assert _envelopes() == 1
    with context.reading() as session:
        done = session.scalars(select(Invitation.id).where(Invitation.state == State.DONE)).all()
        assert len(done) == 1
        assert session.scalars(select(InvitationToken.hash).where(InvitationToken.invitation_id.in_(done))).all() == []


def _requests(company):
    """A complete form by each of two links to one invitation."""
    company.open()
    first = company.tokens()["ana"]
    second, token_hash = mint()
    with context.transaction() as session:
        invitation = session.scalar(select(Invitation.id).where(Invitation.rater_id == company.ids["ana"]))
        session.add(InvitationToken(hash=token_hash, invitation_id=invitation))
    return [_request(company, token) for token in (first, second)]


def _post_at_once(web, requests):
    address = urlsplit(web)
    statuses: Counter[int] = Counter()
    start = threading.Barrier(POSTS)

    def post(path, body, cookies):
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=180)
        connection.connect()
        start.wait()
        headers = {
            "Host": address.netloc,
            "Cookie": cookies,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request("POST", path, body, headers)
        statuses[connection.getresponse().status] += 1
        connection.close()

    threads = [threading.Thread(target=post, args=requests[number % 2]) for number in range(POSTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.total() == POSTS
    return statuses


def _request(company, token):
    """Path, body and cookies of a complete form, as a browser that followed this link would send them."""
    client = company.app.test_client()
    page = client.get(f"/r/{token}")
    form = client.get(client.post(f"/r/{token}", data={"csrf_token": csrf(page.text)}).location)
    fields = {"csrf_token": csrf(form.text), "fingerprint": hidden(form.text, "fingerprint"), "action": "submit"}
    fields |= {name: values[0] for name, values in radios(form.text).items()}
    cookies = "; ".join(f"{name}={client.get_cookie(name).value}" for name in ("rater", "session"))
    return form.request.path, urlencode(fields), cookies


def _envelopes():
    with context.reading() as session:
        return session.scalar(select(func.count()).select_from(Envelope))


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """The server says nothing about fifty requests."""
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
