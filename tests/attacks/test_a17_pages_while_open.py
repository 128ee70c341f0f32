"""A17: metrics, health and every page while a round is open: counts of answers per review, and nothing finer."""

from __future__ import annotations

import re
import uuid

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.access import Action
from survey.core.audit import Event
from survey.services import audit
from survey.store.invitations import Invitation, State
from tests.attacks import walks

WATCHERS = ("noor", "marta", "sam", "ana")  # people operations, the launcher, the engineer, a rater
INVITED = 10
COUNTS = re.compile(r'value="(\d+)" max="(\d+)"|(\d+) of (\d+) answered|(\d+) answers have not come in')

LOG = "/log"

OUTLOOK = re.compile(r'<span class="outlook outlook-\w+">[^<]+</span>')
"""Whether a review will have enough answers: a word for the counts beside it, and for the days left."""


def test_an_answer_changes_the_count_of_its_review_and_no_other_letter_of_any_page(company, clock):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    browsers = {name: company.sign_in(name) for name in WATCHERS}
    before = look(company, browsers, cycle_id, review_id)
    assert sum("0 of 10 answered" in page for page in before.values()) >= 4
    for answered, name in enumerate(("ana", "ines", "marta"), 1):
        # A peer, a direct report, the manager: the pages do not say which.
        company.answer(tokens[name])
        after = look(company, browsers, cycle_id, review_id)
        assert told(before, after, answered) == set()
        assert sum(f"{answered} of 10 answered" in page for page in after.values()) >= 4


def test_with_a_single_rater_left_no_page_says_who_it_is(company):
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    browsers = {name: company.sign_in(name) for name in WATCHERS}
    before = look(company, browsers, cycle_id, review_id)
    for name, token in tokens.items():
        if name != "farid":
            company.answer(token)
    after = look(company, browsers, cycle_id, review_id)
    assert any("9 of 10 answered" in page for page in after.values())
    assert told(before, after, INVITED - 1) == set()


@pytest.mark.parametrize("mutant", ["per relationship", "who is done"])
def test_a_page_that_tells_more_is_caught(company, mutant):
    def per_relationship():
        with context.reading() as session:
            rows = session.execute(
                select(
                    Invitation.relationship,
                    func.count().filter(Invitation.state == State.DONE),
                    func.count(),
                ).group_by(Invitation.relationship)
            ).all()
        return "\n".join(f"{kind}: {done} of {all_} answered" for kind, done, all_ in rows)

    def who_is_done():
        with context.reading() as session:
            rows = session.scalars(select(Invitation.rater_id).where(Invitation.state == State.DONE)).all()
        return " ".join(map(str, rows))

    view = {"per relationship": per_relationship, "who is done": who_is_done}[mutant]
    view.action = Action.LIST_CYCLES
    company.app.add_url_rule("/weak", "weak", view)
    cycle_id, review_id = company.open()
    tokens = company.tokens()
    browsers = {"marta": company.sign_in("marta")}
    before = look(company, browsers, cycle_id, review_id)
    company.answer(tokens["ana"])
    after = look(company, browsers, cycle_id, review_id)
    assert told(before, after, 1) == {("marta", "/weak")}


def told(before, after, answered):
    """Where a page says more, after so many answers, than that there are so many of the whole review."""
    allowed = {(str(answered), str(INVITED)), (str(INVITED - answered),)}
    found = set()
    assert written() <= {Event.PEOPLE_EXPORTED, Event.CYCLE_OPENED, Event.PEOPLE_CHANGED}
    for where, page in after.items():
        if where[1] == LOG:
            continue
        if masked(page) != masked(before[where]):
            found.add(where)
        for old, new in zip(COUNTS.findall(before[where]), COUNTS.findall(page), strict=False):
            if old != new and tuple(filter(None, new)) not in allowed:
                found.add(where)
    return found


def written():
    """What the log has been told: the walk itself takes out the list of people, and nobody's answer is an event."""
    with context.reading() as session:
        return {entry.event for entry in audit.newest(session)}


def masked(page):
    return OUTLOOK.sub("#", COUNTS.sub("#", page))


def look(company, browsers, cycle_id, review_id):
    """Every page as each of them sees it."""
    values = {
        "cycle_id": [cycle_id],
        "review_id": [review_id],
        "page_id": [company.page_id],
        "invitation_id": [uuid.UUID(int=7)],
        "token": ["wrong"],
    }
    return {
        (name, address): page
        for name, browser in browsers.items()
        for address, (_, page) in walks.walk(browser, company.app, values).items()
    }
