"""While a round is open: somebody else is asked, nobody is told who has answered; cancelling deletes unopened."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from survey import context
from survey.core.errors import BadInput, IllegalStep, LinkClosed
from survey.core.relationships import Relationship
from survey.services import cycles, participation, tally
from survey.store.cycles import Review
from survey.store.envelopes import Envelope
from survey.store.reports import Report

PEERS = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(
    ("ana", "ben", "chloe", "dev", "ewa"), Relationship.PEER
)


def test_one_more_rater_gets_an_invitation_and_counts(company, clock):
    cycle_id, review_id = company.open(PEERS)
    company.tokens()
    with context.transaction() as session:
        participation.add_rater(session, review_id, company.ids["farid"], Relationship.PEER, now=clock())
    tokens = company.tokens()
    assert set(tokens) == {"farid"}
    company.answer(tokens["farid"])
    assert going(company, cycle_id, clock)[review_id].invited == 8
    assert going(company, cycle_id, clock)[review_id].answered == 1


@pytest.mark.parametrize("has_answered", [True, False])
def test_what_the_launcher_sees_of_a_replacement_does_not_tell_whether_the_other_had_answered(
    company, clock, has_answered
):
    cycle_id, review_id = company.open(PEERS)
    tokens = company.tokens()
    company.answer(tokens["ana" if has_answered else "ben"])
    before = going(company, cycle_id, clock)[review_id]
    with context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["ana"], company.ids["farid"], now=clock())
    assert going(company, cycle_id, clock)[review_id] == before
    with context.reading() as session:
        assert session.get(Review, review_id).invited == {"self": 1, "manager": 1, "peer": 5}
    with pytest.raises(LinkClosed):
        company.answer(tokens["ana"])


def test_an_answer_that_was_in_before_the_replacement_is_counted(company, clock):
    cycle_id, review_id = company.open(PEERS)
    tokens = company.tokens()
    for name in ("ana", "ben", "chloe", "dev", "ewa"):
        company.answer(tokens[name])
    with context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["ana"], company.ids["farid"], now=clock())
    company.close(cycle_id)
    company.count()
    with context.reading() as session:
        body = session.get(Report, review_id).body
    assert {line["relationship"]: line["answered"] for line in body["attendance"]}["peer"] == 5


def test_nobody_is_asked_with_too_little_time_or_twice_or_about_themselves(company, clock):
    _, review_id = company.open(PEERS)
    with pytest.raises(BadInput, match="is asked about Sam Rivera already"):
        add(company, clock, review_id, "ana")
    with pytest.raises(BadInput, match="asked about Sam Rivera already"), context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["ana"], company.ids["sam"], now=clock())
    clock.move(days=10)
    with pytest.raises(IllegalStep, match="Move the end first"):
        add(company, clock, review_id, "farid")


def test_a_cancelled_round_has_no_reports_no_answers_and_no_key(company, clock):
    cycle_id, review_id = company.open(PEERS)
    for token in company.tokens().values():
        company.answer(token)
    with context.transaction() as session:
        cycles.cancel(session, cycle_id, actor_id=None, now=clock())
    with context.reading() as session:
        assert tally.waiting(session) == [[review_id]]
    company.count()
    with context.reading() as session:
        assert session.scalar(select(func.count()).select_from(Envelope)) == 0
        assert session.get(Report, review_id) is None
        assert cycles.get(session, cycle_id).is_key_destroyed
        assert not context.installation().keyring.is_kept(cycle_id)
    with pytest.raises(IllegalStep, match="deleted unopened"):
        company.release(cycle_id)


def add(company, clock, review_id, name):
    with context.transaction() as session:
        participation.add_rater(session, review_id, company.ids[name], Relationship.PEER, now=clock())


def going(company, cycle_id, clock):
    with context.reading() as session:
        return participation.of(session, cycle_id, now=clock())
