"""Signing in with the company's own account, at a real provider on loopback."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests

from survey import context
from survey.store.people import Person
from tests import openid


def test_who_the_company_vouches_for_is_signed_in_and_led_to_the_page_they_wanted(company, provider):
    provider.claims = {"email": "Marta@company.test", "email_verified": True}
    client = company.app.test_client()
    assert "Use my company account" in client.get("/sign-in?next=/pages").text
    answer = sign_in(client, wanted="/pages")
    assert (answer.status_code, answer.location) == (303, "/pages")
    assert "Marta Lindqvist" in client.get("/pages").text


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"email": "marta@company.test"}, "has verified"),
        ({"email": "marta@company.test", "email_verified": False}, "has verified"),
        ({"email": "marta@company.test", "email_verified": "true"}, "has verified"),
        ({"email_verified": True}, "has verified"),
        ({"email": ["marta@company.test"], "email_verified": True}, "has verified"),
        ({"email": "stranger@company.test", "email_verified": True}, "nobody has entered you here"),
    ],
)
def test_who_is_not_vouched_for_is_refused_with_the_reason(company, provider, claims, reason):
    provider.claims = claims
    client = company.app.test_client()
    answer = sign_in(client)
    assert answer.status_code == 403
    assert reason in answer.text
    assert client.get("/rounds").status_code == 303


def test_who_is_not_active_any_more_is_refused(company, provider):
    with context.transaction() as session:
        session.get(Person, company.ids["marta"]).is_active = False
    provider.claims = {"email": "marta@company.test", "email_verified": True}
    assert sign_in(company.app.test_client()).status_code == 403


@pytest.mark.parametrize("broken", ["issuer", "audience", "expiry", "nonce", "signature"])
def test_a_token_that_is_not_right_signs_nobody_in(company, provider, broken):
    provider.claims = {"email": "marta@company.test", "email_verified": True}
    provider.broken = broken
    client = company.app.test_client()
    answer = sign_in(client)
    assert answer.status_code == 400
    assert "did not work" in answer.text
    assert client.get("/rounds").status_code == 303


def test_a_provider_that_says_it_is_another_one_is_not_asked(company, provider):
    provider.broken = "metadata"
    answer = company.app.test_client().get("/sign-in/company")
    assert (answer.status_code, answer.location) == (400, None)
    assert "did not work" in answer.text


def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(company, provider):
    provider.claims = {"email": "marta@company.test", "email_verified": True}
    asked = company.app.test_client().get("/sign-in/company")
    back = urlsplit(requests.get(asked.location, allow_redirects=False, timeout=180).headers["Location"])
    victim = company.app.test_client()
    assert victim.get(f"{back.path}?{back.query}").status_code == 400
    assert victim.get("/rounds").status_code == 303


def test_who_changes_their_mind_is_back_at_the_sign_in(company, provider):
    answer = company.app.test_client().get("/sign-in/company/back?error=access_denied")
    assert answer.location == "/sign-in"


def test_a_provider_that_is_gone_is_a_sentence(company, provider):
    provider.stop()
    answer = company.app.test_client().get("/sign-in/company")
    assert answer.status_code == 400
    assert "have a link mailed to you" in answer.text
    provider.__post_init__()
    provider.start()


def test_without_a_provider_there_is_no_such_page(company):
    company.app.extensions[context.COMPANY_ACCOUNTS] = None
    client = company.app.test_client()
    assert client.get("/sign-in/company").status_code == 404
    assert client.get("/sign-in/company/back").status_code == 404
    assert "company account" not in client.get("/sign-in").text


def sign_in(client, wanted=""):
    """Follows the redirects as a browser does: to the provider, and back."""
    asked = client.get("/sign-in/company", query_string={"next": wanted})
    assert asked.status_code == 302, asked.text
    back = urlsplit(requests.get(asked.location, allow_redirects=False, timeout=180).headers["Location"])
    return client.get(f"{back.path}?{back.query}")


@pytest.fixture
def provider():
    made = openid.Provider()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def environ(environ, provider):
    return environ | {
        "SURVEY_OIDC_ISSUER": provider.issuer,
        "SURVEY_OIDC_CLIENT_ID": openid.CLIENT,
        "SURVEY_OIDC_CLIENT_SECRET": openid.SECRET,
    }
