"""Two quick presses of Send in a real browser: one answer, and thanks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from survey import context
from survey.store.envelopes import Envelope

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without scripts"])
def test_a_double_click_on_send_sends_once_and_leads_to_thanks(company, chromium, web, script):
    company.open()
    page = _filled_in(company, chromium, web, script=script)
    page.get_by_role("button", name="Send my answers").dblclick()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 1


def test_after_a_refusal_send_works_again_at_once(company, chromium, web):
    company.open()
    page = _filled_in(company, chromium, web, script=True, but=1)
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("radiogroup").first.get_by_role("radio").nth(1).check(force=True)
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def _filled_in(company, chromium, web, *, script, but=0):
    """The form of Ana with a rating everywhere, but for so many at its beginning."""
    page = chromium.new_page(base_url=web, java_script_enabled=script)
    page.goto(f"/r/{company.tokens()['ana']}")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/feedback/"))
    groups = page.get_by_role("radiogroup")
    for number in range(but, groups.count()):
        groups.nth(number).get_by_role("radio").nth(1).check(force=True)
    return page


@pytest.fixture
def database_url(databases):
    return databases.make("sqlite")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr("werkzeug.serving.WSGIRequestHandler.log", lambda *args, **kwargs: None)
