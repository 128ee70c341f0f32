"""A22: a launcher with own addresses, fake colleagues, late additions, a replaced rater."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from survey import context
from survey.core.relationships import Relationship
from survey.services import cycles, nominations, participation
from survey.store.cycles import Review
from survey.store.reports import Cell, Report

SHAMS = "one@sham.example\ntwo@sham.example\nthree@sham.example"
COLLEAGUES = ("ana", "ben", "chloe", "dev", "ewa")
ROUND = {"sam": Relationship.SELF, "marta": Relationship.MANAGER} | dict.fromkeys(COLLEAGUES, Relationship.PEER)


def test_own_addresses_relabelled_as_peers_do_not_lift_one_colleague_over_the_minimum(company):
    cycle_id, review_id = company.draft({"sam": Relationship.SELF, "ana": Relationship.PEER})
    with context.transaction() as session:
        shams = nominations.invite_external(session, SHAMS)
    company.ids |= {f"sham {number}": person_id for number, person_id in enumerate(shams, 1)}
    with context.transaction() as session:
        chosen = nominations.of(session, review_id) | dict.fromkeys(shams, Relationship.PEER)
        nominations.approve(session, review_id, chosen)
    open_it(company, cycle_id)
    for name, token in company.tokens().items():
        company.answer(token, rating=2 if name == "ana" else 5, words=f"What {name} wrote.")
    assert published(company, cycle_id, review_id) == {}


@pytest.mark.parametrize("has_answered", [True, False])
def test_no_number_tells_that_a_replaced_rater_had_answered(company, clock, has_answered):
    cycle_id, review_id = company.open(ROUND)
    tokens = company.tokens()
    if has_answered:
        company.answer(tokens["ana"])
    with context.transaction() as session:
        participation.replace_rater(session, review_id, company.ids["ana"], company.ids["farid"], now=clock())
    tokens |= company.tokens()
    for name in ("sam", "marta", "ben", "chloe", "dev", "ewa", "farid"):
        company.answer(tokens[name])
    with context.reading() as session:
        going = participation.of(session, cycle_id, now=clock())[review_id]
        assert (going.answered, going.invited) == (7, 7)
        assert participation.totals(session, [cycle_id]) == {cycle_id: (7, 7)}
    assert set(published(company, cycle_id, review_id)["peer"].values()) == {5}
    with context.reading() as session:
        body = session.get(Report, review_id).body
    peers = next(line for line in body["attendance"] if line["relationship"] == "peer")
    assert (peers["invited"], peers["answered"]) == (5, 5)


@pytest.mark.parametrize("has_answered", [True, False])
def test_a_replaced_rater_can_be_asked_again_and_nothing_tells_whether_they_had_answered(company, clock, has_answered):
    cycle_id, review_id = company.open(ROUND)
    tokens = company.tokens()
    company.answer(tokens["ana" if has_answered else "ben"])
    seen = []
    for out, into in (("ana", "farid"), ("farid", "ana")):
        with context.transaction() as session:
            participation.replace_rater(session, review_id, company.ids[out], company.ids[into], now=clock())
        with context.reading() as session:
            asked = session.get(Review, review_id).invited
            seen.append((participation.of(session, cycle_id, now=clock())[review_id], asked))
    assert seen[0] == seen[1]
    assert seen[1][0].answered == 1
    assert ("ana" in company.tokens()) is not has_answered


def open_it(company, cycle_id, *, by="marta"):
    parts = context.installation()
    with context.transaction() as session:
        cycles.open_(session, cycle_id, parts.keyring, pace=parts.pace, actor_id=company.ids[by], now=context.now())


def published(company, cycle_id, review_id):
    """The numbers of raters behind the anonymous cells, by group and item."""
    company.close(cycle_id)
    company.count()
    found = {}
    with context.reading() as session:
        for cell in session.scalars(select(Cell).where(Cell.review_id == review_id)):
            if cell.group not in {"self", "manager"}:
                found.setdefault(cell.group, {})[cell.item] = cell.n
    return found
