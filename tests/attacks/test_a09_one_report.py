"""A9: the report before and after a late answer, another k, a second tally, and for a second viewer."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select, text, update

from survey import context
from survey.core.disclosure import Group
from survey.core.errors import LinkClosed
from survey.core.relationships import Relationship
from survey.core.responses import Response
from survey.services import responses, tally
from survey.store import envelopes
from survey.store.cycles import Cycle
from survey.store.envelopes import Envelope
from survey.store.reports import Report
from tests.attacks import weakened
from tests.company import PEERS, answers_to

RATERS = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(PEERS[:6], Relationship.PEER)
LATE = "farid"


def test_a_report_that_is_made_anew_gives_the_late_rater_away(company):
    """The weakened build: whoever looks before and after one answer subtracts."""
    _, review_id = company.open(RATERS)
    asked = _asked(company.tokens()[LATE])
    given = [Response(Relationship.PEER, answers_to(asked, rating=rating)) for rating in (3, 4, 5, 3, 4)]
    late = answers_to(asked, rating=2)
    before = weakened.live_report(company, review_id, given, k=4)
    after = weakened.live_report(company, review_id, [*given, Response(Relationship.PEER, late)], k=4)
    found = _subtract(before, after)
    assert len(found) == 10
    assert found == {item: late.ratings[item] for item in found}


def test_a_report_whose_minimum_can_be_changed_shows_the_small_group(company):
    """The weakened build: three peers are hidden under k = 4, and shown under k = 3."""
    _, review_id = company.open(RATERS)
    asked = _asked(company.tokens()[LATE])
    given = [Response(Relationship.PEER, answers_to(asked, rating=rating)) for rating in (3, 4, 3)]
    assert _figures(weakened.live_report(company, review_id, given, k=4)) == {}
    assert len(_figures(weakened.live_report(company, review_id, given, k=3))) == 10


def test_nothing_changes_a_report_once_it_is_there(company):
    cycle_id, review_id = company.open(RATERS)
    tokens = company.tokens()
    for name, token in tokens.items():
        if name != LATE:
            company.answer(token, words=f"What {name} wrote.")
    company.close(cycle_id)
    company.count()
    company.release(cycle_id)
    sam = company.sign_in("sam")
    before = _stored(), _page(sam, review_id)

    # A late answer: by the use case, and by the page with the cookie of a browser that had the form open.
    with pytest.raises(LinkClosed):
        company.answer(tokens[LATE])
    browser = company.app.test_client()
    browser.set_cookie("rater", tokens[LATE])
    assert browser.get("/feedback").status_code == 410
    assert (_stored(), _page(sam, review_id)) == before

    # Another minimum, past everything that the program allows.
    with context.transaction() as session:
        session.execute(update(Cycle).values(minimum=3))
    company.count()
    assert (_stored(), _page(sam, review_id)) == before

    # A second tally, also with an envelope that somebody put there.
    with context.transaction() as session:
        key = session.scalar(select(Cycle.public_key))
        forged = envelopes.seal(Response(Relationship.PEER, answers_to(_questionnaire(session, review_id))), key)
        session.add(Envelope(review_id=review_id, box=forged))
    with context.reading() as session:
        assert tally.waiting(session) == []
    with context.transaction() as session:
        assert tally.count(session, [review_id], context.installation().keyring).counted == []
    company.count()
    assert (_stored(), _page(sam, review_id)) == before


def test_two_who_may_read_a_report_read_the_same(company):
    with context.transaction() as session:
        session.execute(
            text("UPDATE person SET manager_id = :noor WHERE name = 'Marta Lindqvist'"),
            {"noor": company.ids["noor"].hex if "sqlite" in str(session.get_bind().url) else company.ids["noor"]},
        )
    _, review_id = company.run(RATERS)
    first, again = (_page(company.sign_in("sam"), review_id) for _ in range(2))
    assert first == again
    below, above = (_page(company.sign_in(name), review_id) for name in ("marta", "noor"))
    assert _report(below) == _report(above)
    assert _report(below) != _report(first)  # the subject is addressed, and reads their own reflections
    assert _numbers(below) == _numbers(first)


def _asked(token):
    with context.reading() as session:
        waiting = responses.waiting(session, token)
        return responses.asked(session, token, waiting[0].invitation_id).questionnaire


def _questionnaire(session, review_id):
    return weakened.values.load(weakened.Questionnaire, session.get(weakened.Review, review_id).questionnaire)


def _figures(report):
    return {
        row.item: figure
        for row in report.rows.values()
        for figure in row.figures
        if figure.group is Group.PEER and (figure.mean is not None or figure.band)
    }


def _subtract(before, after):
    """The rating that came in between, for each row with a mean in both reports."""
    old, new = _figures(before), _figures(after)
    return {
        item: round(new[item].n * new[item].mean - old[item].n * old[item].mean)
        for item in old.keys() & new.keys()
        if old[item].mean is not None and new[item].mean is not None and new[item].n == old[item].n + 1
    }


def _stored():
    """Every byte of what is stored of reports."""
    with context.reading() as session:
        bodies = [json.dumps(body) for body in session.scalars(select(Report.body)).all()]
        tables = [
            session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3")).all() for table in ("cell", "comment")
        ]
    return bodies, tables


def _page(client, review_id):
    """The page as it comes, but for the token of the button that signs out."""
    answer = client.get(f"/reports/{review_id}")
    assert answer.status_code == 200
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)


def _report(page):
    return page[page.index("<main") :]


def _numbers(page):
    return sorted(re.findall(r"\d+\.\d+", _report(page)))
