"""A later manager asks, and the subject says yes, no, or not any more; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from survey import context
from survey.core.letters import Kind
from survey.services import people
from survey.store.people import Person
from survey.store.readers import ReportReader
from tests.company import csrf

MISSING = 404


@pytest.fixture
def moved(company):
    """Sam's report was released to Marta; by now Sam reports to Noor. The value is its review."""
    _, review_id = company.run()
    list(company.letters())
    manage(company, "noor@company.test")
    return company, review_id


def manage(company, address):
    with context.transaction() as session:
        known = people.profile(session, session.get(Person, company.ids["sam"]))
        people.change(
            session,
            company.ids["sam"],
            replace(known, manager=address),
            actor_id=company.ids["noor"],
            now=context.now(),
        )


def ask(company, review_id, name="noor"):
    client = company.sign_in(name)
    return client.post(f"/reports/{review_id}/ask", data={"csrf_token": csrf(client.get("/account").text)})


def say(company, review_id, reader, word, name="sam"):
    client = company.sign_in(name)
    sent = {"csrf_token": csrf(client.get("/account").text), "reader": str(company.ids[reader]), "word": word}
    return client.post(f"/reports/{review_id}/readers", data=sent)


def reads(company, review_id, name):
    return company.sign_in(name).get(f"/reports/{review_id}").status_code == 200


def test_a_later_manager_reads_with_the_subjects_word_as_long_as_it_holds(moved):
    company, review_id = moved
    assert f"/reports/{review_id}/ask" in company.sign_in("noor").get("/reports").text
    assert ask(company, review_id).status_code == 303
    assert not reads(company, review_id, "noor")
    letters = [letter for letter, person in company.letters() if person == company.ids["sam"]]
    assert [(letter.kind, letter.actor) for letter in letters if letter.kind is Kind.READER_ASKS] == [
        (Kind.READER_ASKS, "Noor Haddad")
    ]
    assert "asks to read your report" in company.sign_in("sam").get("/reports").text
    assert say(company, review_id, "noor", "yes").status_code == 303
    assert reads(company, review_id, "noor")
    assert say(company, review_id, "noor", "no").status_code == 303
    assert not reads(company, review_id, "noor")


def test_whoever_was_refused_cannot_ask_again_and_the_subject_can_change_their_mind(moved):
    company, review_id = moved
    ask(company, review_id)
    say(company, review_id, "noor", "no")
    assert "The answer was no" in ask(company, review_id).text
    assert not reads(company, review_id, "noor")
    say(company, review_id, "noor", "yes")
    assert reads(company, review_id, "noor")


def test_a_former_manager_keeps_what_was_settled_until_the_subject_takes_it_back(moved):
    company, review_id = moved
    assert reads(company, review_id, "marta")
    assert "Marta Lindqvist" in company.sign_in("sam").get(f"/reports/{review_id}").text
    say(company, review_id, "marta", "no")
    assert not reads(company, review_id, "marta")
    manage(company, "marta@company.test")
    assert not reads(company, review_id, "marta")


def test_the_manager_who_was_settled_and_is_still_one_stays(company):
    _, review_id = company.run()
    assert say(company, review_id, "marta", "no").status_code in {400, 422}
    assert reads(company, review_id, "marta")


@pytest.mark.parametrize("name", ["marta", "ana", "noor"])
def test_nobody_but_the_subject_says_who_reads(moved, name):
    company, review_id = moved
    ask(company, review_id)
    assert say(company, review_id, "noor", "yes", name).status_code == MISSING
    assert not reads(company, review_id, "noor")


def test_nobody_asks_but_a_manager_and_who_is_none_any_more_does_not_ask_any_more(moved):
    company, review_id = moved
    for name in ("ana", "sam"):
        assert ask(company, review_id, name).status_code == MISSING
    ask(company, review_id)
    manage(company, "marta@company.test")
    assert "asks to read your report" not in company.sign_in("sam").get("/reports").text
    assert say(company, review_id, "noor", "yes").status_code == MISSING


def test_the_subject_is_told_of_each_manager_and_sees_it(moved):
    company, _ = moved
    manage(company, None)
    told = [letter for letter, person in company.letters() if person == company.ids["sam"]]
    assert {(letter.before, letter.after) for letter in told if letter.kind is Kind.CHANGED} == {
        ("Marta Lindqvist", "Noor Haddad"),
        ("Noor Haddad", ""),
    }
    page = company.sign_in("sam").get("/account").text
    assert page.count("Noor Haddad") >= 3


def test_readers_are_those_of_the_opening_who_are_managers_still(company):
    _, review_id = company.run()
    with context.reading() as session:
        rows = session.execute(select(ReportReader.review_id, ReportReader.person_id, ReportReader.word)).all()
    assert rows == [(review_id, company.ids["marta"], "settled")]
