"""People operations look through the comments of a counted round, withhold one, and find it in the log."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import installations
from tests.installations import PATIENCE

pytestmark = [pytest.mark.journey, pytest.mark.processes]

HARSH = "Honestly, people like Sam should look for another job. Everybody says so."
USEFUL = (
    "Ask earlier who will carry the pager for this. We decided the rollout before we knew, and it cost us a weekend."
)


def test_people_operations_withhold_a_comment(walk, database_url):
    company = walk.company
    with company.app.app_context():
        cycle_id, review_id = company.open()
        walk.wake()
        raters = company.usual_raters()
        installations.wait_until(
            lambda: all(walk.mailbox.to(f"{name}@company.test") for name in raters), PATIENCE, "the invitations"
        )
        for name in raters:
            words = HARSH if name == "ana" else USEFUL if name in {"ben", "ines"} else f"A word from {name[::-1]}."
            company.answer(walk.link(f"{name}@company.test").removeprefix("/r/"), words=words)
        company.close(cycle_id)
        company.count()

    page = walk.open()
    walk.sign_in(page, "noor")
    page.goto(f"/rounds/{cycle_id}")
    walk.look(page, "the-counted-round")
    page.get_by_role("link", name="Look through the comments").click()
    look_in_both_lights(walk, page, "comments")
    page.locator(".weighed", has_text=HARSH).first.get_by_role("button").click()
    page.get_by_label("It is abusive").check()
    page.get_by_label("In your own words").fill("It wishes somebody away: people like Sam should look elsewhere.")
    page.get_by_role("button", name="Delete and withhold").click()
    expect(page.get_by_text("Your words repeat the comment")).to_be_visible()
    look_in_both_lights(walk, page, "why")
    page.get_by_label("In your own words").fill("It wishes somebody away and says nothing about work.")
    page.get_by_role("button", name="Delete and withhold").click()
    expect(page.get_by_role("status").get_by_text("The comment is withheld.")).to_be_visible()
    expect(page.get_by_text(HARSH)).to_have_count(2)
    look_in_both_lights(walk, page, "withheld")

    with company.app.app_context():
        company.release(cycle_id)
    reader = walk.open()
    walk.sign_in(reader, "marta")
    reader.goto(f"/reports/{review_id}")
    expect(reader.get_by_text("1 comment was withheld by people operations.")).to_be_visible()
    walk.look(reader, "the-report")

    page.get_by_role("link", name="Log").click()
    expect(page.get_by_text("The log is whole")).to_be_visible()
    look_in_both_lights(walk, page, "log")
    page.get_by_label("Show").select_option("Comment withheld")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(1)

    phone = walk.open(phone=True)
    walk.sign_in(phone, "noor")
    phone.goto("/log")
    look_in_both_lights(walk, phone, "log")
    with company.app.app_context():
        other, _ = company.open(company.usual_raters(5))
        walk.wake()
        installations.wait_until(
            lambda: len(walk.mailbox.to("ines@company.test")) >= 2 and len(walk.mailbox.to("sam@company.test")) >= 2,
            PATIENCE,
            "the second invitations",
        )
        names = company.usual_raters(5)
        installations.wait_until(
            lambda: all(len(walk.mailbox.to(f"{name}@company.test")) >= 2 for name in names), PATIENCE, "all of them"
        )
        for name in names:
            company.answer(walk.link(f"{name}@company.test").removeprefix("/r/"), words=USEFUL)
        company.close(other)
        company.count()
    phone.goto(f"/rounds/{other}/comments")
    look_in_both_lights(walk, phone, "comments")
    phone.locator(".weighed").first.get_by_role("button").click()
    look_in_both_lights(walk, phone, "why")


def look_in_both_lights(walk, page, what):
    for light in ("light", "dark"):
        page.emulate_media(color_scheme=light)
        walk.look(page, f"{what}-{light}")
    page.emulate_media(color_scheme="light")
