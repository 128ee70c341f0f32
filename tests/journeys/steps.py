"""Steps that several journeys take."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def fill_in(page: Page) -> None:
    """Answers everything on the form that is being opened, and sends it."""
    page.wait_for_url(re.compile("/feedback/[0-9a-f]"))
    groups = page.get_by_role("radiogroup")
    for number in range(groups.count()):
        groups.nth(number).get_by_role("radio").nth(3).check(force=True)
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


def decline(page: Page) -> None:
    """Declines the first colleague on the list, and goes back to it."""
    page.get_by_role("link", name=re.compile("^Decline")).first.click()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Decline", exact=True).click()
    page.get_by_role("link", name="Show who is left").click()
