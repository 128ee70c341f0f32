"""One link, five colleagues in two rounds: three are answered, one is declined, one is put off."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations
from tests.installations import PATIENCE, wait_until
from tests.journeys.steps import decline, fill_in

pytestmark = [pytest.mark.journey, pytest.mark.processes]

ROUNDS = (("sam", "ben", "chloe"), ("dev", "farid"))


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_a_rater_goes_from_one_to_the_next(walk, device):
    with walk.company.app.app_context():
        for subjects in ROUNDS:
            _open(walk.company, subjects)
        context.installation().engine.dispose()
    walk.wake()
    wait_until(lambda: _newest(walk).count("as a peer") == 5, PATIENCE, "the mail that lists all five")
    page = walk.open(phone=device == "phone")
    page.goto(walk.link("ana@company.test"))
    expect(page.get_by_role("heading", name="Your view of 5 people’s work")).to_be_visible()
    walk.look(page, "start")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("heading", name="5 people to go")).to_be_visible()
    page.get_by_text("Remind me later").last.click()
    walk.look(page, "list")
    page.get_by_label("On").last.select_option(index=1)
    page.get_by_role("button", name="Remind me then").last.click()
    expect(page.get_by_text("You will be reminded on")).to_be_visible()
    page.get_by_role("link", name="Ben", exact=True).click()
    fill_in(page)
    walk.look(page, "next")
    for _ in range(2):
        page.get_by_role("link", name=re.compile("^Go on: ")).click()
        fill_in(page)
    page.get_by_role("link", name="Show who is left").click()
    expect(page.get_by_role("heading", name="2 people to go")).to_be_visible()
    decline(page)
    expect(page.get_by_role("heading", name="One more to go")).to_be_visible()
    walk.look(page, "one-left")


def _open(company, subjects) -> None:
    first, *others = subjects
    cycle_id, _ = company.draft(_raters(first), subject=first)
    parts = context.installation()
    with context.transaction() as session:
        for name in others:
            review = drafts.add_review(session, cycle_id, company.ids[name], [company.page_id])
            raters = {company.ids[rater]: kind for rater, kind in _raters(name).items()}
            nominations.choose(session, review.id, raters)
        cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=None, now=context.now())


def _raters(subject: str) -> dict[str, Relationship]:
    peers = dict.fromkeys(("ana", "grace", "hugo", "ewa", "ines"), Relationship.PEER)
    return {subject: Relationship.SELF} | peers


def _newest(walk) -> str:
    mails = walk.mailbox.to("ana@company.test")
    return mails[-1].get_body(("plain",)).get_content() if mails else ""
