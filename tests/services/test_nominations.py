"""Raters: proposed by the engineer, approved by the manager or by silence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from survey import context
from survey.core.cycles import Phase
from survey.core.errors import BadInput, IllegalStep
from survey.core.letters import Kind
from survey.core.nominations import Choice
from survey.core.relationships import Relationship
from survey.services import cycles, drafts, nominations
from survey.store.cycles import Review
from survey.store.people import Person, by_address
from tasks import cycles as tasks

PEER, OTHER = Relationship.PEER, Relationship.OTHER


def test_everybody_under_review_is_asked_to_choose_and_managers_hear_of_the_first_proposal(company, clock):
    _, review_id = nominating(company, clock)
    assert kinds(company) == [(Kind.NOMINATION, "sam@company.test")]
    propose(company, clock, review_id, "ana", "ben", "chloe", "dev", "ewa")
    assert kinds(company) == [(Kind.APPROVAL, "marta@company.test")]
    propose(company, clock, review_id, "ana", "ben")
    assert kinds(company) == []


def test_a_proposal_changes_peers_and_leaves_self_and_manager_as_they_are(company, clock):
    _, review_id = nominating(company, clock)
    with context.transaction() as session:
        nominations.propose(
            session,
            review_id,
            {company.ids["ana"]: PEER, company.ids["noor"]: Relationship.MANAGER, company.ids["marta"]: PEER},
            now=clock(),
        )
    assert chosen(company, review_id) == {"sam": Relationship.SELF, "marta": Relationship.MANAGER, "ana": PEER}


def test_after_the_approval_the_engineer_asks_the_manager(company, clock):
    _, review_id = nominating(company, clock)
    with context.transaction() as session:
        nominations.approve(session, review_id, {company.ids["ana"]: PEER})
    with pytest.raises(IllegalStep, match="have been approved"):
        propose(company, clock, review_id, "ben")


def test_silence_approves_two_days_before_the_opening_but_no_address_of_another_company(company, clock):
    _, review_id = nominating(company, clock, days=10)
    propose(company, clock, review_id, "ana", addresses="Kim Larsen <kim@partner.test>")
    with context.transaction() as session:
        assert nominations.approve_silent(session, now=clock() + timedelta(days=7, hours=23)) == 0
        assert nominations.approve_silent(session, now=clock() + timedelta(days=8, hours=1)) == 1
    with context.reading() as session:
        assert session.get(Review, review_id).choice == Choice.APPROVED
        assert by_address(session, "kim@partner.test").id not in nominations.of(session, review_id)


def test_an_address_of_another_company_is_asked_once_the_manager_says_so(company, clock):
    _, review_id = nominating(company, clock)
    with context.transaction() as session:
        nominations.approve(
            session, review_id, {company.ids["ana"]: PEER}, addresses="Kim Larsen <Kim@partner.test>, lou@partner.test"
        )
    with context.reading() as session:
        kim = by_address(session, "kim@partner.test")
        assert (kim.name, kim.is_external) == ("Kim Larsen", True)
        assert nominations.of(session, review_id)[kim.id] is Relationship.OUTSIDE
        assert nominations.awaiting(session, review_id) >= {kim.id}
        assert by_address(session, "lou@partner.test").name == "lou@partner.test"


def test_what_is_no_address_is_named_and_nobody_is_made(company, clock):
    _, review_id = nominating(company, clock)
    with pytest.raises(BadInput, match="“nowhere” is not an e-mail address"), context.transaction() as session:
        nominations.approve(session, review_id, {}, addresses="kim@partner.test\nnowhere")
    with context.reading() as session:
        assert by_address(session, "kim@partner.test") is None


def test_a_round_without_a_day_of_opening_does_not_ask_people_to_choose(company, clock):
    cycle_id, _ = company.draft()
    with pytest.raises(BadInput, match="at least four days ahead"), context.transaction() as session:
        nominations.start(session, cycle_id, now=clock())


def test_the_round_opens_by_itself_with_what_was_chosen(company, clock):
    cycle_id, review_id = nominating(company, clock, days=10)
    propose(company, clock, review_id, "ana", "ben", "chloe", "dev", "ewa")
    clock.move(days=10, hours=9)
    with context.transaction() as session:
        nominations.approve_silent(session, now=clock())
        assert cycles.open_due(session, context.installation().keyring, now=clock()) == [cycle_id]
    assert tasks.go_on_opening() == 1
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.OPEN
        assert session.get(Review, review_id).invited == {"self": 1, "manager": 1, "peer": 5}


def test_a_round_that_cannot_open_stays_a_draft_and_its_launcher_hears_of_it(company, clock):
    cycle_id, _ = company.draft({"sam": Relationship.SELF})
    opening(cycle_id, clock, days=3)
    with context.transaction() as session:
        drafts.schedule(session, cycle_id, is_on=True)
    clock.move(days=4)
    with context.transaction() as session:
        assert cycles.open_due(session, context.installation().keyring, now=clock()) == []
    assert kinds(company) == [(Kind.NOT_OPENED, "marta@company.test")]
    with context.reading() as session:
        assert cycles.get(session, cycle_id).phase == Phase.DRAFT


def test_suggested_are_those_around_the_subject_those_of_earlier_rounds_and_whoever_is_found(company, clock):
    company.draft({"sam": Relationship.SELF, "noor": OTHER})
    _, review_id = company.draft({"sam": Relationship.SELF})
    with context.transaction() as session:
        session.add(Person(name="Zoë 100%", address="zoe@company.test"))
    with context.reading() as session:
        found = {one.name: one.why for one in nominations.candidates(session, review_id, {}, search="0%")}
        without = {one.name for one in nominations.candidates(session, review_id, {}, search="_")}
    assert found["Noor Haddad"] == "chosen before"
    assert found["Ana"] == "works beside or below"
    assert "Zoë 100%" in found
    assert "Zoë 100%" not in without


def nominating(company, clock, *, days=10):
    cycle_id, review_id = company.draft()
    opening(cycle_id, clock, days=days)
    with context.transaction() as session:
        nominations.start(session, cycle_id, now=clock())
    return cycle_id, review_id


def opening(cycle_id, clock, *, days):
    with context.transaction() as session:
        drafts.set_dates(
            session,
            cycle_id,
            opens_at=clock() + timedelta(days=days),
            closes_at=clock() + timedelta(days=days + 14),
            reminders=["half-time"],
            now=clock(),
        )


def propose(company, clock, review_id, *names, addresses=""):
    with context.transaction() as session:
        raters = {company.ids[name]: PEER for name in names}
        nominations.propose(session, review_id, raters, addresses=addresses, now=clock())


def chosen(company, review_id):
    names = {person_id: name for name, person_id in company.ids.items()}
    with context.reading() as session:
        return {names[rater]: kind for rater, kind in nominations.of(session, review_id).items()}


def kinds(company):
    return sorted((letter.kind, letter.address) for letter, _ in company.letters())
