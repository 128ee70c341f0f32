"""Changing who is asked while a round is open, by desk and by phone, with and without scripts: nothing is too wide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from survey import context
from survey.services import nominations, participation, sign_ins
from tests.journeys.conftest import ARTEFACTS, PHONE

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_pages_of_raters_fit_and_can_be_used_by_everybody(company, chromium, web, clock):
    cycle_id, review_id = company.open()
    with context.transaction() as session:
        (kim,) = nominations.invite_external(session, "Kim Larsen <kim@partner.test>")
        kinds = {one.id: one.relationship for one in participation.raters(session, review_id)}
        participation.add_rater(
            session, review_id, kim, kinds[company.ids["ana"]], actor_id=company.ids["marta"], now=clock()
        )
    at = f"{web}/rounds/{cycle_id}"
    shown = {
        "round": at,
        "raters": f"{at}/reviews/{review_id}/raters",
        "ask": f"{at}/reviews/{review_id}/ask",
        "withdraw": f"{at}/reviews/{review_id}/withdraw",
        "add": f"{at}/add-person",
        "word": f"{web}/reviews/{review_id}/outside",
    }
    desk = signed_in(chromium, web, "noor", viewport={"width": 1200, "height": 900})
    phone = signed_in(chromium, web, "noor", viewport=PHONE, java_script_enabled=False, color_scheme="dark")
    ARTEFACTS.mkdir(exist_ok=True)
    for page, name in ((desk, "desk"), (phone, "phone-dark")):
        for what, address in shown.items():
            page.goto(address)
            page.screenshot(path=ARTEFACTS / f"raters-{what}-{name}.png", full_page=True)
            assert page.evaluate("document.scrollingElement.scrollWidth") <= page.viewport_size["width"], what
            if page is desk:
                assert Axe().run(page).violations_count == 0, what
        page.goto(shown["add"])
        page.get_by_label("Person").select_option(label="Grace")
        page.get_by_role("button", name="Show who would be asked").click()
        page.get_by_label("Product Stability, level 3").check()
        page.get_by_label("Ana, as peer").uncheck()
        page.screenshot(path=ARTEFACTS / f"raters-added-{name}.png", full_page=True)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= page.viewport_size["width"]
        page.context.close()


def signed_in(chromium, web, name, **how):
    page = chromium.new_context(reduced_motion="reduce", base_url=web, **how).new_page()
    with context.transaction() as session:
        token = sign_ins.link(session, f"{name}@company.test", now=context.now(), life=timedelta(minutes=10))
    page.goto(f"{web}/sign-in/{token}")
    page.get_by_role("button", name="Sign in").click()
    return page
