"""A round as people operations run it: people from a file, chosen raters, one reminder, a moved end, the close."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.installations import PATIENCE, wait_until
from tests.journeys.steps import decline, fill_in

pytestmark = [pytest.mark.journey, pytest.mark.processes]

TEAMS = ("Search", "Billing", "Mobile", "Data", "Platform")
SUBJECTS = [f"Search {number}" for number in range(1, 6)]
"""Five of the seven in their team; the other two see all of them."""


@pytest.mark.parametrize(
    ("database_url", "device"),
    [("sqlite", "phone"), pytest.param("postgresql", "desktop", marks=pytest.mark.postgresql)],
    indirect=["database_url"],
)
def test_from_the_file_of_people_to_the_close(walk, device):
    def opened() -> Page:
        return walk.open(phone=device == "phone")

    noor = opened()
    walk.sign_in(noor, "noor")
    _import_people(walk, noor)
    round_ = _set_up(walk, noor)
    _nominate(walk, opened())
    _approve(walk, opened())

    noor.goto(round_)
    noor.get_by_role("link", name="Open this round").click()
    walk.look(noor, "open")
    noor.get_by_role("button", name="Open and send invitations").click()
    expect(noor.get_by_text("0 of 8 answered").first).to_be_visible()
    walk.look(noor, "opened")
    wait_until(lambda: _asked(walk, "search7") == _asked(walk, "billing1") == 1, PATIENCE, "the invitations")

    _answer_decline_and_put_off(walk, opened())
    _remind(walk, noor)
    _move_the_end(walk, noor)
    _close(walk, noor)
    # Whoever put the round off has only been invited; whoever said nothing was reminded once, for all the presses.
    assert (_asked(walk, "search7"), _asked(walk, "billing1")) == (1, 2)


def _import_people(walk, page: Page) -> None:
    page.get_by_role("link", name="People", exact=True).click()
    page.get_by_role("link", name="Import a file").click()
    walk.look(page, "upload")
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": _people()}
    page.get_by_label("A CSV file").set_input_files(file)
    page.get_by_role("button", name="Look at the changes").click()
    expect(page.get_by_text("Nothing has been written yet.")).to_be_visible()
    expect(page.get_by_role("table", name="Added").get_by_role("row")).to_have_count(41)
    walk.look(page, "what-changes")
    page.get_by_role("button", name="Write these changes").click()
    expect(page.get_by_role("status").first).to_contain_text("40")
    walk.look(page, "people")


def _people() -> bytes:
    lines = ["Name,Address,Manager's address,Team,Level"]
    for team in TEAMS:
        lead = f"{team.lower()}@company.test"
        lines.append(f"{team} Lead,{lead},,{team},5")
        lines += [f"{team} {number},{team.lower()}{number}@company.test,{lead},{team},3" for number in range(1, 8)]
    return "\n".join(lines).encode()


def _set_up(walk, page: Page) -> str:
    page.get_by_role("link", name="Rounds", exact=True).click()
    page.get_by_role("link", name="New round").click()
    page.get_by_label("Name of the round").fill("Spring round")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Team", exact=True).select_option("Search")
    page.get_by_role("button", name="Show", exact=True).click()
    for name in SUBJECTS:
        page.get_by_label(name).check()
    page.get_by_label("Product Stability").check()
    walk.look(page, "set-up-people")
    page.get_by_role("button", name="Add those ticked").click()
    expect(page.get_by_text("5 people in this round")).to_be_visible()
    page.get_by_role("link", name="Go on to the raters").click()
    for part in ("raters", "questions", "dates", "words"):
        if part == "dates":
            page.get_by_label("Day of opening").fill(_in_days(7))
            page.get_by_label("Last day to answer").fill(_in_days(21))
        walk.look(page, f"set-up-{part}")
        page.get_by_role("button", name="Save and go on").click()
    walk.look(page, "set-up-check")
    round_ = page.url
    page.get_by_role("link", name="Let people choose their raters").click()
    walk.look(page, "ask-them")
    page.get_by_role("button", name="Ask them").click()
    return round_


def _nominate(walk, page: Page) -> None:
    """An engineer takes one colleague out, and adds one of another team."""
    wait_until(lambda: walk.mailbox.to("search1@company.test"), PATIENCE, "the mail that asks for raters")
    walk.sign_in(page, "search1")
    page.goto(walk.link("search1@company.test", r"/reviews/[0-9a-f-]{36}/raters"))
    page.get_by_label("Search 6", exact=True).select_option("not asked")
    page.get_by_label("Somebody who is not in the list").fill("Billing 1")
    page.get_by_role("button", name="Find").click()
    page.get_by_label("Billing 1", exact=True).select_option("peer")
    walk.look(page, "nominate")
    page.get_by_role("button", name="Propose them").click()
    expect(page.get_by_text("Your manager looks at your proposal")).to_be_visible()
    walk.look(page, "nominated")


def _approve(walk, page: Page) -> None:
    wait_until(lambda: walk.mailbox.to("search@company.test"), PATIENCE, "the mail about the proposal")
    walk.sign_in(page, "search")
    page.goto("/nominations")
    walk.look(page, "what-waits")
    page.get_by_role("link", name="Search 1", exact=True).click()
    expect(page.get_by_label("Billing 1", exact=True)).to_have_value("peer")
    walk.look(page, "approve")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("The raters of Search 1 are approved.")).to_be_visible()


def _answer_decline_and_put_off(walk, page: Page) -> None:
    """Three are answered, one is declined, and of the last one the rater wants to hear no more."""
    page.goto(walk.link("search7@company.test"))
    walk.look(page, "start")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="5 people to go")).to_be_visible()
    walk.look(page, "list")
    page.get_by_role("link", name="Search 1", exact=True).click()
    fill_in(page)
    walk.look(page, "next")
    for _ in range(2):
        page.get_by_role("link", name=re.compile("^Go on: ")).click()
        fill_in(page)
    page.get_by_role("link", name="Show who is left").click()
    decline(page)
    expect(page.get_by_role("heading", name="One more to go")).to_be_visible()
    page.get_by_text("Remind me later").click()
    page.get_by_label("On").select_option(index=1)
    page.get_by_role("button", name="Remind me then").click()
    expect(page.get_by_text("You will be reminded on")).to_be_visible()
    walk.look(page, "put-off")


def _remind(walk, page: Page) -> None:
    for said in ("goes out now", "brought forward today already"):
        page.get_by_role("button", name="Remind now about Search 1").click()
        expect(page.get_by_role("status").first).to_contain_text(said)
        wait_until(lambda: _asked(walk, "billing1") == 2, PATIENCE, "the reminder")
    walk.look(page, "reminded")


def _move_the_end(walk, page: Page) -> None:
    page.get_by_role("link", name="Move the end").click()
    page.get_by_label("Last day to answer").fill(_in_days(30))
    walk.look(page, "move-the-end")
    page.get_by_role("button", name="Move").click()
    expect(page.get_by_text(re.compile("The last day to answer is .* now"))).to_be_visible()


def _close(walk, page: Page) -> None:
    page.get_by_role("link", name="Close now").click()
    walk.look(page, "close")
    page.get_by_role("button", name="Close and count").click()
    walk.look(page, "closed")
    # The page looks again by itself.
    expect(page.get_by_role("link", name="Release the reports")).to_be_visible()
    walk.look(page, "counted")


def _asked(walk, name: str) -> int:
    """How many mails this person got that ask for answers."""
    mails = walk.mailbox.to(f"{name}@company.test")
    return sum("/r/" in mail.get_body(("plain",)).get_content() for mail in mails)


def _in_days(number: int) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).date().isoformat()
