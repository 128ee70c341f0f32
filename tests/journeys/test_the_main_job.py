"""The main job from end to end: a manager opens a round, peers answer, it closes, the engineer reads the report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from survey.store.keys import MARK
from tests.installations import PATIENCE, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.processes]

PAGE = Path(__file__).resolve().parents[2] / "survey" / "samples" / "product-stability-level-3.txt"
PEERS = ("ana", "ben", "chloe", "dev", "ewa")


def test_a_round_from_the_page_to_the_report(walk):
    manager = walk.open()
    walk.sign_in(manager, "marta")
    _import_the_page(walk, manager)
    _make_the_round(walk, manager)
    round_ = manager.url
    wait_until(lambda: len(walk.mailbox.messages) >= 8, PATIENCE, "the invitations")

    for number, name in enumerate(PEERS):
        # The first on a phone, the second without JavaScript, the third on a phone without JavaScript.
        rater = walk.open(phone=number in {0, 2}, script=number not in {1, 2})
        _answer(walk, rater, name, with_gap=number == 0, is_seen=number < 2)
    _answer(walk, walk.open(), "marta", with_gap=False, is_seen=False)
    _answer(walk, walk.open(), "sam", with_gap=False, is_seen=True)

    manager.goto(round_)
    expect(manager.get_by_text("7 of 7 answered").first).to_be_visible()
    walk.look(manager, "open-round")
    manager.get_by_role("link", name="Close now").click()
    walk.look(manager, "close")
    manager.get_by_role("button", name="Close and count").click()
    # The page looks again by itself.
    expect(manager.get_by_role("link", name="Release the reports")).to_be_visible()
    walk.look(manager, "counted")
    manager.get_by_role("link", name="Release the reports").click()
    manager.get_by_role("button", name="Release").click()
    wait_until(
        lambda: any("/reports/" in m.get_body(("plain",)).get_content() for m in walk.mailbox.to("sam@company.test")),
        PATIENCE,
        "the mail about the report",
    )

    engineer = walk.open()
    walk.sign_in(engineer, "sam")
    engineer.goto(walk.link("sam@company.test", r"/reports/[0-9a-f-]{36}"))
    _read_the_report(walk, engineer)
    phone = walk.open(phone=True, script=False)
    walk.sign_in(phone, "sam")
    phone.goto(engineer.url)
    _read_the_report(walk, phone)
    kept = Path(walk.installation.environ["SURVEY_KEY_DIRECTORY"])
    assert [file.name for file in kept.iterdir()] == [MARK]


def _import_the_page(walk, page: Page) -> None:
    page.get_by_role("link", name="Pages", exact=True).click()
    page.get_by_role("link", name="Import a page").click()
    page.get_by_label("… or paste the page here").fill("Nothing of a page")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 1")
    walk.look(page, "import-refused")
    page.get_by_label("… or paste the page here").fill("")
    page.get_by_label("A text or Markdown file").set_input_files(PAGE)
    page.get_by_label("Competency, if the page does not name it").fill("Reliability")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Reliability, level 3")).to_be_visible()
    walk.look(page, "page")


def _make_the_round(walk, page: Page) -> None:
    page.get_by_role("link", name="Rounds").click()
    walk.look(page, "rounds")
    page.get_by_role("link", name="New round").click()
    page.get_by_label("Name of the round").fill("Spring round")
    walk.look(page, "new-round")
    page.get_by_role("button", name="Go on").click()
    walk.look(page, "set-up-people")
    page.get_by_label("Sam Rivera").check()
    page.get_by_label("Reliability").check()
    page.get_by_label("On the page of").select_option("level 3")
    page.get_by_role("button", name="Add those ticked").click()
    page.get_by_role("link", name="Go on to the raters").click()
    page.get_by_role("link", name="Choose the raters of Sam Rivera").click()
    for name in ("Farid", "Grace", "Hugo", "Ines", "Jonas"):
        page.get_by_label(name, exact=True).select_option("not asked")
    walk.look(page, "raters")
    page.get_by_role("button", name="Save the raters").click()
    for part in ("set-up-raters", "set-up-questions", "set-up-dates", "set-up-words"):
        walk.look(page, part)
        page.get_by_role("button", name="Save and go on").click()
    walk.look(page, "set-up-check")
    page.get_by_role("link", name="As a peer").click()
    expect(page.get_by_text("This is a preview")).to_be_visible()
    walk.look(page, "preview")
    page.go_back()
    page.get_by_role("link", name="Open this round").click()
    walk.look(page, "open")
    page.get_by_role("button", name="Open and send invitations").click()
    expect(page.get_by_text("0 of 7 answered").first).to_be_visible()


def _answer(walk, page: Page, name: str, *, with_gap: bool, is_seen: bool) -> None:
    page.goto(walk.link(f"{name}@company.test"))
    if is_seen:
        walk.look(page, f"start-{name}")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/feedback/"))
    groups = page.get_by_role("radiogroup")
    total = groups.count()
    assert total == 10
    for number in range(total):
        if with_gap and number == 4:
            continue
        choice = "Not observed" if (name == "dev" and number == 1) else ("Often", "Sometimes", "Always")[number % 3]
        radios = groups.nth(number).get_by_role("radio")
        wanted = groups.nth(number).get_by_label(choice, exact=True)
        (wanted if wanted.count() else radios.nth(3)).check(force=True)
    texts = page.get_by_role("textbox")
    texts.nth(0).fill(f"{name} thinks that the hidden cost is the pager.")
    if is_seen:
        walk.look(page, f"form-{name}")
    page.get_by_role("button", name="Send my answers").click()
    if with_gap:
        expect(page.get_by_role("alert")).to_contain_text("Not answered yet")
        expect(texts.nth(0)).to_have_value(f"{name} thinks that the hidden cost is the pager.")
        walk.look(page, f"gap-{name}")
        groups.nth(4).get_by_label("Rarely", exact=True).check(force=True)
        page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("heading", name=re.compile("Thank"))).to_be_visible()
    if is_seen:
        walk.look(page, f"thanks-{name}")
    page.goto(walk.link(f"{name}@company.test"))
    expect(page.get_by_role("button", name="Start")).to_have_count(0)


def _read_the_report(walk, page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sam Rivera")
    text = page.locator("main").inner_text()
    assert "Leads discussions about risk during planning or estimation" in text
    assert "No combination of the numbers in this report isolates fewer than 4 people." in text
    assert text.count("thinks that the hidden cost is the pager.") >= 5
    walk.look(page, "report")
