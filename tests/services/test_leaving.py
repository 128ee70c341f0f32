"""Leaving and coming back while a round is open: nothing is lost, and nothing tells who had answered."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from survey import context
from survey.core.errors import LinkClosed
from survey.services import imports, participation, people
from survey.store.invitations import Invitation
from survey.store.people import Person


def act(verb, company, name):
    with context.transaction() as session:
        verb(session, company.ids[name], actor_id=company.ids["noor"], now=context.now())


def file_of(company, *, but=()):
    """A file that names everybody but these."""
    with context.reading() as session:
        rows = session.scalars(select(Person).order_by(Person.address)).all()
        managers = {row.id: row.address for row in rows}
    lines = [f"{row.name},{row.address},{managers.get(row.manager_id, '')}" for row in rows if row.id not in but]
    return "\n".join(["Name,Address,Manager's address", *lines, ""]).encode()


def take(source, *, departing=None):
    with context.transaction() as session:
        plan = imports.look(session, source, is_everybody=True, zones={})
        imports.take(
            session,
            source,
            is_everybody=True,
            departing=departing,
            fingerprint=plan.fingerprint,
            zones={},
            now=context.now(),
        )
    return plan


@pytest.mark.parametrize("way", ["the page", "a file"])
def test_who_comes_back_is_asked_again_with_a_new_link(company, way):
    cycle_id, review_id = company.open()
    old = company.tokens()
    with context.reading() as session:
        before = participation.totals(session, [cycle_id])
        rows = set(session.execute(select(Invitation.id, Invitation.rater_id)).all())
    whole = file_of(company)
    if way == "the page":
        act(people.deactivate, company, "ben")
        act(people.reactivate, company, "ben")
    else:
        take(file_of(company, but={company.ids["ben"]}))
        take(whole)
    with pytest.raises(LinkClosed):
        company.answer(old["ben"])
    new = company.tokens()
    assert set(new) == {"ben"}
    company.answer(new["ben"])
    with context.reading() as session:
        assert participation.totals(session, [cycle_id]) == {cycle_id: (before[cycle_id][0], 1)}
        assert set(session.execute(select(Invitation.id, Invitation.rater_id)).all()) == rows
    assert review_id


def test_who_is_away_gets_no_mail_and_answers_nothing(company):
    company.open()
    old = company.tokens()["ben"]
    act(people.deactivate, company, "ben")
    with pytest.raises(LinkClosed):
        company.answer(old)
    assert "ben" not in company.tokens()
