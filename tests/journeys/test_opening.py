"""A large round: the page that waits until it is open, by itself or by a link, and the page that is looked through."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations, openings, sign_ins
from survey.store import openings as store
from survey.web import cycles as pages
from tasks import cycles as tasks
from tests.company import PEERS
from tests.journeys.conftest import ARTEFACTS, DESKTOP, PHONE

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_large_round_is_waited_for_and_then_looked_through(company, chromium, web, monkeypatch):
    for module in (store, openings):
        monkeypatch.setattr(module, "PORTION", 1)
    for name in ("FEW", "AT_ONCE"):
        monkeypatch.setattr(pages, name, 2)
    cycle_id = _begun(company)
    desk = _signed_in(chromium, web, viewport=DESKTOP)
    phone = _signed_in(chromium, web, viewport=PHONE, java_script_enabled=False, color_scheme="dark")
    for page in (desk, phone):
        page.goto(f"{web}/rounds/{cycle_id}")
        expect(page.get_by_role("status")).to_contain_text("0 of 4 reviews prepared")
    _open_one(cycle_id)
    phone.get_by_role("link", name="Look again").click()
    for page, name in ((desk, "desktop-light"), (phone, "phone-dark-no-script")):
        expect(page.get_by_role("status")).to_contain_text("1 of 4 reviews prepared", timeout=15_000)
        ARTEFACTS.mkdir(exist_ok=True)
        _photograph(page, f"opening-{name}")
    assert Axe().run(desk).violations_count == 0
    assert tasks.go_on_opening() == 1
    expect(desk.get_by_role("table", name="People under review")).to_be_visible(timeout=15_000)
    phone.get_by_role("link", name="Look again").click()
    for page, name in ((desk, "desktop-light"), (phone, "phone-dark-no-script")):
        expect(page.get_by_role("table", name="People under review, 1–2 of 4")).to_be_visible()
        page.get_by_role("link", name="Later").click()
        expect(page.get_by_role("table", name="People under review, 3–4 of 4")).to_be_visible()
        page.get_by_role("link", name="Cannot be reached 1").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        _photograph(page, f"opened-{name}")
    assert Axe().run(desk).violations_count == 0
    desk.get_by_role("button", name="Remind now about Chloe").click()
    expect(desk.locator("tbody tr")).to_have_count(1)
    for page in (desk, phone):
        page.context.close()


def _photograph(page, name) -> None:
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= page.viewport_size["width"]


def _begun(company):
    """A round that is opening: Ana, Ben, Chloe and Sam are under review, and Chloe's raters are one too few."""
    raters = dict.fromkeys(PEERS[4:8], Relationship.PEER)
    cycle_id, _ = company.draft(raters, subject="sam")
    parts = context.installation()
    with context.transaction() as session:
        for name in PEERS[:3]:
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            asked = list(raters.items())[: 3 if name == "chloe" else 4]
            nominations.choose(session, review.id, {company.ids[rater]: kind for rater, kind in asked})
        cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())
    return cycle_id


def _open_one(cycle_id) -> None:
    with context.transaction() as session:
        assert openings.go_on(session, cycle_id, openings.unopened(session, cycle_id)[:1])


def _signed_in(chromium, web, **how):
    page = chromium.new_context(reduced_motion="reduce", **how).new_page()
    with context.transaction() as session:
        token = sign_ins.link(session, "marta@company.test", now=context.now(), life=timedelta(minutes=10))
    page.goto(f"{web}/sign-in/{token}")
    page.get_by_role("button", name="Sign in").click()
    return page
